#!/bin/sh
# Installs what the testbed runs: Debian 12 (or a Debian or Ubuntu with the same packages); needs root.
#   nginx                    web server with HTTP/2 and TLS        dash, hls, progressive, feed, browse
#   ffmpeg                   encodes the titles, once               dash, hls, progressive, live
#   chromium                 browser, headless                      browse
#   python3-aiortc           WebRTC: ICE, DTLS, SRTP, Opus, VP8     webrtc, tlsconf
#   python3-aiohttp          HTTPS and WebSocket                    chat, webrtc, tlsconf
#   coturn                   STUN and TURN server                   webrtc, tlsconf
#   baresip-core             SIP and RTP telephone                  sip
#   mosquitto, -clients      MQTT broker, publishers, subscriber    mqtt
#   openssh-server/-client, rsync   remote shell and copies         ssh
#   chrony                   NTP server and client                  background
#   dnsmasq-base, dnsutils   the resolver of every session, dig     all, background
#   gcc, libc6-dev           compile the wire (data/testbed/wire)   all
#   iproute2, ethtool, procps, tcpdump, tshark, openssl, zstd       namespaces, capture, checks, packing
# No service is needed that comes with these packages: every session starts its own copies with their
# own configuration inside its own network namespaces. On a machine of your own you may want to disable
# those that Debian starts: systemctl disable --now nginx mosquitto coturn chrony ssh
set -eu
packages="nginx ffmpeg chromium python3-aiortc python3-aiohttp coturn baresip-core
  mosquitto mosquitto-clients openssh-server openssh-client rsync chrony dnsmasq-base dnsutils
  gcc libc6-dev iproute2 ethtool procps tcpdump tshark openssl zstd"
if [ "$(id -u)" != 0 ]; then
  echo "installing packages needs root: sudo sh data/testbed/install.sh" >&2
  exit 2
fi
echo "installing:" $packages
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y --no-install-recommends $packages
