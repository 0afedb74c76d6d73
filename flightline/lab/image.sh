# Turns the fresh root in $1 into a bare Debian server that boots from a disk of its own.
# Set by the caller: ROOT_UUID. Uploaded before: /flightline-in/{host_key,host_key.pub,access_key.pub}.
set -eu
root=$1

cat > "$root/etc/fstab" <<FSTAB
UUID=$ROOT_UUID / ext4 errors=remount-ro,noatime 0 1
FSTAB

# The kernel's name for the network cards stays eth0 and eth1; the console is the serial log.
# norandmaps: the emulator keeps translated code by address. With address randomisation every process
# is translated anew: 40 short programs took 6.2 s with it and 1.0 s without (measured 2026-11-21,
# QEMU 7.2), and GRUB needed minutes to copy the initrd over pages that held thousands of stale
# translations. mitigations=off: an emulator does not speculate, and retpolines cost it dearly.
arguments="console=ttyS0 net.ifnames=0 norandmaps mitigations=off"
cat > "$root/etc/default/grub" <<GRUB
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_RECORDFAIL_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="$arguments"
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_DISABLE_OS_PROBER=true
GRUB
mkdir -p "$root/boot/grub"
cp -r "$root/usr/lib/grub/i386-pc" "$root/boot/grub/"
kernel=$(cd "$root/boot" && ls vmlinuz-* | sort -V | tail -n 1)
version=${kernel#vmlinuz-}
# Boots once; the first update-grub inside the node writes the usual one over it.
cat > "$root/boot/grub/grub.cfg" <<GRUB
set timeout=0
search --no-floppy --fs-uuid --set=root $ROOT_UUID
linux /boot/$kernel root=UUID=$ROOT_UUID ro $arguments
initrd /boot/initrd.img-$version
boot
GRUB

# The image's own initrd was built from a list, since a chroot shows the wrong machine; a node that
# rebuilds it looks at its own devices (measured 2026-11-20, emulated: dep 63 s, most 657 s).
echo MODULES=dep > "$root/etc/initramfs-tools/conf.d/flightline-lab"

mkdir -p "$root/etc/systemd/network"
printf '[Match]\nName=eth0\n\n[Network]\nDHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\n' \
  > "$root/etc/systemd/network/10-eth0.network"
rm -f "$root/etc/resolv.conf"
echo 'nameserver 10.0.2.3' > "$root/etc/resolv.conf"   # QEMU user networking's own resolver
echo fresh > "$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 fresh\n' > "$root/etc/hosts"
: > "$root/etc/machine-id"
echo LANG=C.UTF-8 > "$root/etc/default/locale"

chroot "$root" useradd --create-home --shell /bin/bash flightline
echo 'flightline ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/flightline"
chmod 440 "$root/etc/sudoers.d/flightline"

# The keys that the package made here are nobody's; the template's own was uploaded to /flightline-in.
rm -f "$root"/etc/ssh/ssh_host_*
install -m 600 "$root/flightline-in/host_key" "$root/etc/ssh/ssh_host_ed25519_key"
install -m 644 "$root/flightline-in/host_key.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
install -D -m 600 "$root/flightline-in/access_key.pub" "$root/home/flightline/.ssh/authorized_keys"
rm -r "$root/flightline-in"
chmod 700 "$root/home/flightline/.ssh"
chroot "$root" chown -R flightline:flightline /home/flightline/.ssh
chroot "$root" systemctl enable --quiet systemd-networkd ssh
# Nothing in a node waits for a network that needs no waiting for.
chroot "$root" systemctl disable --quiet systemd-networkd-wait-online || true

# Translated package descriptions would only make every refresh longer.
echo 'Acquire::Languages "none";' > "$root/etc/apt/apt.conf.d/10flightline-lab"
chroot "$root" apt-cache gencaches
