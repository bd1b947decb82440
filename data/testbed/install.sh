#!/bin/sh
# Installs what the testbed runs. Debian 12 or Ubuntu 22.04 and later; needs root.
#   nginx-light            web server (web, stream)
#   mosquitto, -clients    MQTT broker, publishers, subscriber (mqtt)
#   openssh-server/-client, rsync   remote shell and copies (ssh)
#   dnsmasq-base, dnsutils resolver of every session, dig (dns)
#   iproute2, ethtool, procps, tcpdump, tshark, openssl, python3   namespaces, capture, verification
# The system services that come with nginx, mosquitto and sshd are not needed: every session
# starts its own copy with its own configuration inside its own network namespace.
set -eu
packages="nginx-light mosquitto mosquitto-clients openssh-server openssh-client rsync
  dnsmasq-base dnsutils iproute2 ethtool procps tcpdump tshark openssl python3"
echo "installing:" $packages
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y --no-install-recommends $packages
