extension Operation {
    /// Shows the task the folder, at `source` on the host, with the socket on which it tells that it is ready.
    package static func notifyFolder(from source: String) -> Operation {
        let closed =
            MountAttributes.readOnly | MountAttributes.noSUID | MountAttributes.noDevices
            | MountAttributes.noExec
        return .bind(
            BindMount(
                source: source, target: "/run/notify", recursive: false,
                attributes: MountAttributes(set: closed), propagation: []))
    }
}
