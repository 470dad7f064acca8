extension Completion {
    /// `_arguments` knows the shape of a command line; the script hands it the table.
    static var zsh: String {
        """
        #compdef mrun
        # zsh completion for mrun, made by "mrun completion zsh"

        _mrun_containers() {
            local -a ids root
            [[ -n ${mrun_root-} ]] && root=(--root $mrun_root)
            ids=(${(f)"$(_call_program containers mrun $root list -q 2>/dev/null)"})
            compadd -a ids
        }

        _mrun() {
            local curcontext=$curcontext state line mrun_root
            local -A opt_args
            local -a commands=(
        \(Command.all.map { "        " + quoted("\($0.name):\($0.summary)") }.joined(separator: "\n"))
            )
            _arguments -C -s -S \\
        \(Command.global.options.map { "        \(specification($0)) \\" }.joined(separator: "\n"))
                '1: :->command' '*:: :->argument' && return
            mrun_root=${opt_args[--root]-}
            case $state in
                command) _describe -t commands command commands ;;
                argument)
                    curcontext=${curcontext%:*:*}:mrun-$words[1]:
                    case $words[1] in
        \(Command.all.map(branch).joined(separator: "\n"))
                    esac
                    ;;
            esac
        }

        if [[ $funcstack[1] == _mrun ]]; then
            _mrun "$@"
        else
            compdef _mrun mrun
        fi

        """
    }

    private static func branch(_ command: Command) -> String {
        let indent = String(repeating: " ", count: 20)
        var rows = command.options.filter { !$0.isHidden }.map(specification)
        for (index, subject) in command.positionals.subjects.enumerated() {
            rows.append("'\(index + 1): :\(action(subject))'")
        }
        if command.positionals.maximum == nil { rows.append("'*: :'") }
        // "-A '-*'": no options after the first positional.
        let mode = command.positionals.endOptions ? "-s -S -A '-*'" : "-s -S"
        return "            \(command.name)) _arguments \(mode) \\\n"
            + rows.map { indent + $0 }.joined(separator: " \\\n") + "\n" + indent + ";;"
    }

    /// One option as `_arguments` wants it: names, help, and what its value is.
    private static func specification(_ option: Option) -> String {
        let help = "[\(escaped(option.help))]"
        guard case .value(let name, let subject) = option.argument else {
            let names = spellings(option)
            return names.map { "\(exclusions(names, option))\(quoted($0 + help))" }.joined(separator: " ")
        }
        let value = ":\(escaped(name)):\(action(subject))"
        // "--name=" takes its value with "=" or as the next word.
        let names = spellings(option)
        return names.map { spelling in
            let form = spelling.hasPrefix("--") ? spelling + "=" : spelling
            return "\(exclusions(names, option))\(quoted(form + help + value))"
        }.joined(separator: " ")
    }

    private static func exclusions(_ names: [String], _ option: Option) -> String {
        if option.isRepeatable { return "'*'" }
        return names.count > 1 ? "'(\(names.joined(separator: " ")))'" : ""
    }

    private static func action(_ subject: Subject) -> String {
        switch subject {
        case .anything: ""
        case .file: "_files"
        case .folder: "_files -/"
        case .container: "_mrun_containers"
        case .signal: "(\(Signals.offered.joined(separator: " ")))"
        case .command: "(\(Command.all.map(\.name).joined(separator: " ")))"
        case .words(let words): "(\(words.joined(separator: " ")))"
        }
    }

    private static func escaped(_ text: String) -> String {
        text.map { "[]:\\".contains($0) ? "\\\($0)" : String($0) }.joined()
    }
}
