# shellcheck shell=sh source-path=SCRIPTDIR source=lib.sh disable=SC2317
. "${VM_DIR:-.}/lib.sh"
check "systemd runs" sh -c 'systemctl --version; systemctl list-units; ls -l /run/systemd; false'
check "dbus" sh -c 'time systemctl start dbus.service; systemctl status dbus; ls -l /run/dbus; false'
check "scope" sh -c 'systemd-run --scope --unit=foo sleep 1; cat /proc/self/cgroup; mount | grep cgroup; false'
done_testing
