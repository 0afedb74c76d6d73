# Which CUDA toolkits are there and which one programs meet, as "key=value" lines.
LC_ALL=C
export LC_ALL
for place in /usr/local/cuda-*.* /usr; do
    if ! [ -x "$place/bin/nvcc" ]; then continue; fi
    echo "toolkit=$place $("$place/bin/nvcc" --version 2> /dev/null | sed -n 's/.*release \([0-9.]*\),.*/\1/p')"
done
if [ -e /usr/local/cuda ]; then echo "default=$(readlink -f /usr/local/cuda)"; fi
# The first line of either is "auto" or "manual" (update-alternatives(1), alternatives(8)).
echo "mode=$(head -qn 1 /var/lib/dpkg/alternatives/cuda /var/lib/alternatives/cuda 2> /dev/null)"
echo "shell=$(env -i HOME=/root TERM=dumb sh -lc 'command -v nvcc' 2> /dev/null)"
for library in $(/sbin/ldconfig -p | sed -n 's/.*libcudart\.so\.[0-9]* .*=> //p'); do
    echo "library=$library $(readlink -f "$library")"
done
grep -rqs -e developer.download.nvidia.com/compute/cuda/repos \
    /etc/apt/sources.list /etc/apt/sources.list.d /etc/yum.repos.d && echo repository=nvidia
for file in /etc/apt/sources.list.d/flightline-nvidia.sources \
    /etc/yum.repos.d/flightline-nvidia.repo; do
    if [ -e "$file" ]; then echo "repository=flightline"; fi
done
if command -v dpkg-query > /dev/null; then
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' 'cuda-toolkit-*' nvidia-cuda-toolkit 2> /dev/null |
        sed -n '/ cuda-toolkit-[0-9]*-[0-9]* \| nvidia-cuda-toolkit /s/^/package=/p'
else
    rpm -qa --qf '%{NAME} %{EVR}\n' 'cuda-toolkit-*' | grep -E '^cuda-toolkit-[0-9]+-[0-9]+ ' |
        while read -r name version; do
            grep -qs "^$name-[0-9]" /etc/dnf/plugins/versionlock.list && state=hi || state=ii
            echo "package=$state $name $version"
        done
fi
echo end=yes
