# Turns the fresh root in $1 into a bare Debian server that a container boots.
# Uploaded before: /flightline-in/access_key.pub.
set -eu
root=$1

echo fresh > "$root/etc/hostname"
: > "$root/etc/machine-id"
: > "$root/etc/fstab"
rm -f "$root/etc/resolv.conf"   # systemd-nspawn puts this computer's there
echo LANG=C.UTF-8 > "$root/etc/default/locale"

chroot "$root" useradd --create-home --shell /bin/bash flightline
echo 'flightline ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/flightline"
chmod 440 "$root/etc/sudoers.d/flightline"
rm -f "$root"/etc/ssh/ssh_host_*
install -D -m 600 "$root/flightline-in/access_key.pub" "$root/home/flightline/.ssh/authorized_keys"
rm -r "$root/flightline-in"
chmod 700 "$root/home/flightline/.ssh"
chroot "$root" chown -R flightline:flightline /home/flightline/.ssh
chroot "$root" systemctl enable --quiet ssh

# The network is this computer's: nothing in a node may set it up or wait for it.
chroot "$root" systemctl mask --quiet systemd-networkd.service systemd-networkd.socket \
  systemd-networkd-wait-online.service systemd-resolved.service
# The daily timers catch up at a first boot, and apt's lock would be taken when a test wants it.
mkdir -p "$root/var/lib/systemd/timers"
for timer in apt-daily apt-daily-upgrade dpkg-db-backup fstrim e2scrub_all; do
  : > "$root/var/lib/systemd/timers/stamp-$timer.timer"
done

echo 'Acquire::Languages "none";' > "$root/etc/apt/apt.conf.d/10flightline-lab"
chroot "$root" apt-cache gencaches
