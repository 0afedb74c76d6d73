# Runs one light node until it is told to end:
#   unshare --mount sh supervise.sh NODE_FOLDER ROOT PACKAGES COMMAND...
# The mounts are in a namespace of this process and end with it, however it ends.
set -eu
folder=$1 root=$2 packages=$3
shift 3

over() {   # lower, name of the upper folder, where
  mount -t overlay light-node -o "lowerdir=$1,upperdir=$folder/$2,workdir=$folder/$2.work" "$3"
}
over "$root" disk "$folder/root"
over "$packages" packages "$folder/root/var/cache/apt/archives"

# Where systemd runs this computer it makes a scope for the container. Elsewhere containers need a
# cgroup each, or they would share one: of systemd's own hierarchy, and of the unified one.
groups=""
if [ ! -d /run/systemd/system ]; then
  for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    [ -e "$hierarchy/cgroup.procs" ] || continue
    mkdir "$hierarchy/flightline-light-$$"
    echo $$ > "$hierarchy/flightline-light-$$/cgroup.procs"
    groups="$groups $hierarchy/flightline-light-$$"
  done
fi
leave() {
  for group in $groups; do
    echo $$ > "${group%/*}/cgroup.procs"
    find "$group" -depth -type d -exec rmdir {} +
  done
}
trap leave EXIT
trap : TERM   # wait for the container's own shutdown

status=133    # what systemd-nspawn --keep-unit ends with when the node reboots (systemd-nspawn(1))
while [ "$status" = 133 ]; do
  status=0
  setpriv --pdeathsig TERM "$@" || status=$?
done
exit "$status"
