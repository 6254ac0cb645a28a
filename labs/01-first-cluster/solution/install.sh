# on: server
# user: student
INSTALL_K3S_VERSION="$LAB_K3S_VERSION" install-k3s.sh
sudo systemctl enable --now k3s
until sudo k3s kubectl wait node/server --for=condition=Ready --timeout=60s 2>/dev/null; do sleep 0.2; done
