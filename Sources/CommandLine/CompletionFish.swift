extension Completion {
    /// One `complete` line for each row; a small function tells where on the line the cursor is.
    static var fish: String {
        """
        # fish completion for mrun, made by "mrun completion fish"

        # Prints the command and the number of positional arguments before the cursor; nothing before the command.
        function __mrun_place
            set -l command ''
            set -l place 0
            set -l skip 0
            set -l words (commandline -opc)
            for word in $words[2..]
                if test $skip = 1
                    set skip 0
                    continue
                end
                switch "$command $word"
                    case \(valued.joined(separator: " "))
                        set skip 1
                    case "$command -*"
                    case '*'
                        if test -z "$command"
                            set command $word
                        else
                            set place (math $place + 1)
                        end
                end
            end
            echo "$command $place"
        end

        function __mrun_in
            string match -q -- "$argv[1] *" (__mrun_place)
        end

        function __mrun_at
            test (__mrun_place) = "$argv[1] $argv[2]"
        end

        function __mrun_containers
            set -l words (commandline -opc)
            set -l root
            if set -l index (contains -i -- --root $words)
                set root --root $words[(math $index + 1)]
            else if set -l given (string match -- '--root=*' $words)
                set root $given[1]
            end
            mrun $root list -q 2>/dev/null
        end

        complete -c mrun -f
        \((commandRows + tables.flatMap(rows)).joined(separator: "\n"))

        """
    }

    private static var valued: [String] {
        tables.flatMap { table in
            table.options.filter { subject($0) != nil }
                .flatMap { spellings($0).map { quoted("\(table.name) \($0)") } }
        }
    }

    private static var commandRows: [String] {
        Command.all.map { "complete -c mrun -n '__mrun_at \"\" 0' -a \($0.name) -d \(quoted($0.summary))" }
    }

    private static func rows(_ command: Command) -> [String] {
        let name = command.name.isEmpty ? "\"\"" : command.name
        let options = command.options.filter { !$0.isHidden }.flatMap { option in
            spellings(option).filter { $0.hasPrefix("--") }.enumerated().map { index, spelling in
                var row = "complete -c mrun -n '__mrun_in \(name)' -l \(spelling.dropFirst(2))"
                if index == 0, let letter = option.letter { row += " -s \(letter)" }
                if let subject = subject(option) { row += " -r" + choices(subject) }
                return row + " -d \(quoted(option.help))"
            }
        }
        let places = command.positionals.subjects.enumerated().compactMap { index, subject in
            // The commands have rows of their own, with their summaries.
            let choices = command.name.isEmpty ? "" : choices(subject)
            return choices.isEmpty ? nil : "complete -c mrun -n '__mrun_at \(name) \(index)'\(choices)"
        }
        return options + places
    }

    private static func choices(_ subject: Subject) -> String {
        switch subject {
        case .anything: ""
        case .file: " -F"
        case .folder: " -a '(__fish_complete_directories)'"
        case .container: " -a '(__mrun_containers)'"
        case .signal: " -a \(quoted(Signals.offered.joined(separator: " ")))"
        case .command: " -a \(quoted(Command.all.map(\.name).joined(separator: " ")))"
        case .words(let words): " -a \(quoted(words.joined(separator: " ")))"
        }
    }
}
