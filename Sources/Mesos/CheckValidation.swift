extension CheckInfo {
    private var title: String { role == .check ? "check" : "health check" }

    /// The rules of `validateCheckInfo` and `validateHealthCheck` (`src/common/validation.cpp`).
    func check(_ findings: Findings) {
        switch kind {
        case nil:
            findings.problem(pointer, "\(role == .check ? "CheckInfo" : "HealthCheck") must specify 'type'")
        case .unknown: findings.problem(pointer + "/type", "'UNKNOWN' is not a valid \(title) type")
        case .command: checkCommand(findings)
        case .http: checkHTTP(findings)
        case .tcp:
            if !hasTCP { findings.problem(pointer, "expecting 'tcp' to be set for TCP \(title)") }
        }
        for (name, seconds) in times where seconds < 0 {
            findings.problem(pointer + "/" + name, "expecting '\(name)' to be non-negative")
        }
    }

    private func checkCommand(_ findings: Findings) {
        guard let command else {
            return findings.problem(pointer, "expecting 'command' to be set for COMMAND \(title)")
        }
        if command.value == nil {
            let what = command.isShell ? "'shell command'" : "'executable path'"
            findings.problem(command.pointer, "command \(title) must contain \(what)")
        }
        command.check(findings)
    }

    private func checkHTTP(_ findings: Findings) {
        guard let http else {
            return findings.problem(pointer, "expecting 'http' to be set for HTTP \(title)")
        }
        if let scheme = http.scheme, scheme != "http", scheme != "https" {
            findings.problem(http.pointer + "/scheme", "unsupported HTTP \(title) scheme: '\(scheme)'")
        }
        if let path = http.path, !path.hasPrefix("/") {
            findings.problem(
                http.pointer + "/path", "the path '\(path)' of HTTP \(title) must start with '/'")
        }
    }
}
