# on: server
# user: student
# Flags on the unit's command line, in a drop-in as `systemctl edit` writes it. They take the place of the whole list in config.yaml.
sudo mkdir -p /etc/systemd/system/k3s.service.d
sudo tee /etc/systemd/system/k3s.service.d/no-metrics.conf > /dev/null <<UNIT
[Service]
ExecStart=
ExecStart=/usr/local/bin/k3s server --disable local-storage --disable metrics-server
UNIT
sudo systemctl daemon-reload
sudo systemctl restart k3s
