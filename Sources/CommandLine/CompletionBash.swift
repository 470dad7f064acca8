extension Completion {
    /// Walks the words up to the cursor, then asks what stands there: a value, an option, or the n-th positional.
    static var bash: String {
        """
        # bash completion for mrun, made by "mrun completion bash"

        _mrun() {
            local cur=${COMP_WORDS[COMP_CWORD]} word='' command='' place=0 ended='' subject='' options='' i
            local -a root=()
            [[ $cur == '=' ]] && cur=''
            for ((i = 1; i < COMP_CWORD; i++)); do
                word=${COMP_WORDS[i]}
                if [[ -z $ended && $word == -- ]]; then
                    ended=1
                elif [[ -z $ended && $word == -?* ]]; then
                    case "$command $word" in
                        \(valued.joined(separator: " | ")))
                            [[ ${COMP_WORDS[i + 1]} == '=' ]] && ((i++))
                            ((i++))
                            [[ -z $command && $word == --root ]] && root=(--root "${COMP_WORDS[i]}")
                            ;;
                        *) [[ ${COMP_WORDS[i + 1]} == '=' ]] && ((i += 2)) ;;
                    esac
                elif [[ -z $command ]]; then
                    command=$word
                    ended=''
                else
                    ((place++))
                    case $command in
                        \(enders.joined(separator: " | "))) ended=1 ;;
                    esac
                fi
            done
            if ((i > COMP_CWORD)); then
                case "$command $word" in
        \(lines(valueSubjects, 12))
                esac
            elif [[ -z $ended && $cur == -* ]]; then
                case $command in
        \(lines(optionWords, 12))
                esac
                mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
                return
            else
                case "$command $place" in
        \(lines(placeSubjects, 12))
                esac
            fi
            case $subject in
                file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
                folder) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
                container)
                    mapfile -t COMPREPLY < <(
                        compgen -W "$("${COMP_WORDS[0]}" "${root[@]}" list -q 2>/dev/null)" -- "$cur")
                    ;;
                *) mapfile -t COMPREPLY < <(compgen -W "$subject" -- "$cur") ;;
            esac
        }

        complete -F _mrun mrun

        """
    }

    private static func lines(_ rows: [String], _ indent: Int) -> String {
        rows.map { String(repeating: " ", count: indent) + $0 }.joined(separator: "\n")
    }

    /// The word in the script's last `case`, or the words to choose from.
    private static func word(_ subject: Subject) -> String? {
        switch subject {
        case .anything: nil
        case .file: "file"
        case .folder: "folder"
        case .container: "container"
        case .signal: Signals.offered.joined(separator: " ")
        case .command: Command.all.map(\.name).joined(separator: " ")
        case .words(let words): words.joined(separator: " ")
        }
    }

    private static func patterns(_ command: Command, _ option: Option) -> [String] {
        spellings(option).map { quoted("\(command.name) \($0)") }
    }

    private static var valued: [String] {
        tables.flatMap { table in
            table.options.filter { subject($0) != nil }.flatMap { patterns(table, $0) }
        }
    }

    private static var enders: [String] { Command.all.filter(\.positionals.endOptions).map(\.name) }

    private static var valueSubjects: [String] {
        tables.flatMap { table in
            table.options.compactMap { option in
                subject(option).flatMap(word).map { word in
                    "\(patterns(table, option).joined(separator: " | "))) subject=\(quoted(word)) ;;"
                }
            }
        }
    }

    private static var optionWords: [String] {
        tables.map { table in
            let words = table.options.filter { !$0.isHidden }.flatMap(spellings).filter { $0.hasPrefix("--") }
            return "\(quoted(table.name))) options=\(quoted(words.joined(separator: " "))) ;;"
        }
    }

    private static var placeSubjects: [String] {
        tables.flatMap { table in
            table.positionals.subjects.enumerated().compactMap { index, subject in
                word(subject).map { "'\(table.name) \(index)') subject=\(quoted($0)) ;;" }
            }
        }
    }
}
