# Writes the root in $1 to a disk image with BIOS GRUB: no loop device, no grub-install, no real root.
# Set by the caller: ROOT_UUID, DISK_GIB. Leaves $1/flightline-out/{disk.qcow2,vmlinuz}.
set -eu
root=$1
raw=$root.raw
core=$root.core
aside=$root.aside
bare=$root.bare
trap 'umount "$bare" 2>/dev/null || true; rmdir "$bare" 2>/dev/null || true
  rm -rf "$raw" "$core" "$aside"' EXIT

chroot "$root" grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /tmp/core.img \
  biosdisk part_msdos ext2
mv "$root/tmp/core.img" "$core"

# The root without what is mounted inside it (/proc, /sys, /dev), and without what only mmdebstrap
# needs: it still holds services back from starting and recommended packages from being installed.
mkdir "$bare"
mount --bind "$root" "$bare"
rm -f "$bare/usr/sbin/policy-rc.d"
test ! -e "$bare/sbin/start-stop-daemon.REAL" ||
  mv "$bare/sbin/start-stop-daemon.REAL" "$bare/sbin/start-stop-daemon"
# It wants its own two files back: without the one in /tmp its apt would work on this computer itself.
mkdir "$aside"
mv "$bare/etc/apt/apt.conf.d/00mmdebstrap" "$bare"/tmp/mmdebstrap.apt.conf.* "$aside/"
rm -rf "$bare"/var/cache/apt/archives/*.deb "$bare"/run/* "$bare"/tmp/*

truncate -s "${DISK_GIB}G" "$raw"
printf 'label: dos\nstart=2048, type=83, bootable\n' | sfdisk -q "$raw"
mkfs.ext4 -q -F -U "$ROOT_UUID" -L root -O ^metadata_csum_seed \
  -E offset=1048576,lazy_itable_init=1,lazy_journal_init=1 \
  -d "$bare" "$raw" "$(( (DISK_GIB * 1024 - 1) * 1024 ))k"

# boot.img goes before the partition table in sector 0, the core image into the gap up to 1 MiB.
dd if="$root/usr/lib/grub/i386-pc/boot.img" of="$raw" bs=440 count=1 conv=notrunc status=none
dd if="$core" of="$raw" bs=512 seek=1 conv=notrunc status=none

mv "$aside/00mmdebstrap" "$root/etc/apt/apt.conf.d/"
mv "$aside"/mmdebstrap.apt.conf.* "$root/tmp/"
mkdir "$root/flightline-out"
qemu-img convert -O qcow2 "$raw" "$root/flightline-out/disk.qcow2"
cp -L "$root"/boot/vmlinuz-* "$root/flightline-out/vmlinuz"
