# on: server
# user: student
# A flag on the unit's command line, in a drop-in as `systemctl edit` writes it.
sudo mkdir -p /etc/systemd/system/k3s.service.d
sudo tee /etc/systemd/system/k3s.service.d/no-metrics.conf > /dev/null <<UNIT
[Service]
ExecStart=
ExecStart=/usr/local/bin/k3s server --disable metrics-server
UNIT
sudo systemctl daemon-reload
sudo systemctl restart k3s
