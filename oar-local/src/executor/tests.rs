//! A job must not be able to tell whether bash was spared: the same command line is run in both ways, and arguments,
//! environment, exit status, output and errors are compared.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use super::environment::Surroundings;
use super::launch::{Sinks, bash_command, direct, direct_command, spawn};
use super::worker::{as_shell, signal_report};
use crate::machine::{Command as Order, Job, Machine, Request, Settings};

/// Prints its arguments, one per line in brackets, and its whole environment.
const DUMP: &str = "#!/bin/sh\nprintf 'self=%s\\n' \"$0\"\nfor a in \"$@\"; do printf '[%s]\\n' \"$a\"; done\nenv -0 | sort -z | tr '\\0' '\\n'\necho oops >&2\nexit 3\n";

struct Place {
    folder: tempfile::TempDir,
    surroundings: Surroundings,
}

/// What a job did.
#[derive(Debug, PartialEq)]
struct Trace {
    status: i32,
    out: String,
    err: String,
}

impl Place {
    /// A working directory with programs in it, one of which is found through `PATH`.
    fn new(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("bin")).unwrap();
        for (name, mode, text) in [
            ("dump", 0o755, DUMP),
            ("bin/dumper", 0o755, DUMP),
            ("closed", 0o644, DUMP),
            ("no_interpreter", 0o755, "echo \"no interpreter $1\"\nexit 4\n"),
            ("lost_interpreter", 0o755, "#!/nosuch/interpreter\n"),
            ("die", 0o755, "#!/bin/sh\nkill -$1 $$\n"),
            ("bin/cd", 0o755, "#!/bin/sh\necho never\n"),
        ] {
            std::fs::write(at(name), text).unwrap();
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", at("bin").display());
        let base = [("PATH", path.as_str()), ("LANG", "C.UTF-8"), ("ODD", "a b\n$c'\""), ("OLDPWD", "/usr")];
        let base = base.iter().chain(more).map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let surroundings = Surroundings::new(base, at("nodes"), "/home/alice", "node1");
        Self { folder, surroundings }
    }

    fn job(&self, command: &str) -> Job {
        let settings = Settings {
            cores: 1,
            lenient: false,
            period: None,
            kill_rate: 0.0,
            seed: 0,
            home: "/home/alice".into(),
            node: "node1".into(),
            nodes: 1,
            memory: 0,
        };
        let mut machine = Machine::new(settings);
        let directory = self.folder.path().to_str().unwrap().to_owned();
        let request = Request { command: command.into(), directory: Some(directory), ..Request::default() };
        let id = machine.submit(&request, "alice", 0).unwrap();
        assert_eq!(machine.take_commands(), [Order::Start(id)]);
        machine.find_job(id).unwrap().clone()
    }

    fn by_bash(&self, command: &str) -> Trace {
        let job = self.job(command);
        let (trace, _) = self.trace(bash_command(&job, &self.surroundings), &job).unwrap();
        Trace { err: without_pid(&trace.err), ..trace }
    }

    /// None when the command line goes to bash anyway.
    fn directly(&self, command: &str) -> Option<Trace> {
        let job = self.job(command);
        let (plain, program) = direct(&job, &self.surroundings)?;
        let order = direct_command(&plain, &program, &self.surroundings);
        let (mut trace, pid) = self.trace(order, &job)?;
        if let Some(words) = &plain.in_function {
            if trace.status & 0x7f != 0 {
                trace.err.push_str(&signal_report(pid, trace.status, words));
            }
            trace.status = as_shell(trace.status);
        }
        trace.err = without_pid(&trace.err);
        Some(trace)
    }

    /// None when the process cannot be created.
    fn trace(&self, command: Command, job: &Job) -> Option<(Trace, u32)> {
        let (mut child, pipes) = spawn(command, job, &self.surroundings, Sinks::pipes().unwrap()).ok()?;
        let [mut out, mut err] = pipes.unwrap();
        let read = |pipe: &mut dyn Read| {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (out, err) = (read(&mut out), read(&mut err));
        let status = child.wait().unwrap().into_raw();
        Some((Trace { status, out, err }, child.id()))
    }
}

/// Bash reports signals with a process number and padding, which are never the same twice, after a name of its own
/// that depends on its version.
fn without_pid(text: &str) -> String {
    let Some((_, rest)) = text.split_once("line 1: ").filter(|(_, rest)| rest.trim_start().starts_with(is_digit))
    else {
        return text.to_owned();
    };
    rest.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn wrapped(program: &str, parameters: &str) -> String {
    format!(
        "_c(){{ export CIGRI_CAMPAIGN_ID=3 CIGRI_CLUSTER=dahu CIGRI_TASK_ID=$1 CIGRI_TASK_INDEX=$(($1-2000)) \
         CIGRI_ATTEMPT=$2; shift 2; {program} \"$@\"; }}; _c 2017 1 {parameters}"
    )
}

#[test]
fn direct_starts_leave_the_same_trace_as_bash() {
    let place = Place::new(&[("SHLVL", "3")]);
    for command in [
        "./dump".to_owned(),
        "./dump a 'b c' '' -x=1 '$HOME' '*'".to_owned(),
        "dumper a".to_owned(),
        format!("{}/dump abs", place.folder.path().display()),
        "/bin/true".to_owned(),
        "./die TERM".to_owned(),
        wrapped("./dump", "a 'b  c' d"),
        wrapped("./dump -n 5", ""),
        wrapped("dumper", "x"),
        wrapped("./die", "TERM"),
        wrapped("./die", "SEGV"),
        wrapped("./die", "KILL"),
        wrapped("./die", "INT"),
        wrapped("./die", "PIPE"),
        wrapped("/bin/false", ""),
    ] {
        let direct = place.directly(&command).unwrap_or_else(|| panic!("not direct: {command}"));
        assert_eq!(direct, place.by_bash(&command), "{command}");
    }
}

#[test]
fn the_level_of_shells_is_right_without_one_outside() {
    let place = Place::new(&[]);
    // Without a shell of its own that would change the level again; the order of variables means nothing.
    let sorted = |trace: Trace| {
        let mut lines: Vec<_> = trace.out.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    for command in ["/usr/bin/env".to_owned(), "env".to_owned(), wrapped("/usr/bin/env", "")] {
        let direct = place.directly(&command).unwrap();
        assert_eq!(sorted(direct), sorted(place.by_bash(&command)), "{command}");
    }
}

#[test]
fn what_cannot_be_started_directly_is_left_to_bash_and_its_messages() {
    let place = Place::new(&[]);
    let end = |command: &str| {
        assert_eq!(place.directly(command), None, "{command}");
        let trace = place.by_bash(command);
        (trace.status >> 8, trace.err)
    };
    for (command, status, message) in [
        ("./nosuch a", 127, "No such file or directory"),
        ("nosuch a", 127, "command not found"),
        ("./closed", 126, "Permission denied"),
        ("./bin", 126, "Is a directory"),
        ("./lost_interpreter", 127, ""),
        ("./no_interpreter x", 4, ""),
    ] {
        for command in [command.to_owned(), wrapped(command, "")] {
            let (code, err) = end(&command);
            // Bash 5.2 says 126 for a lost interpreter, older ones 127.
            assert!(code == status || (status == 127 && code == 126), "{command}: {code}");
            assert!(err.contains(message), "{command}: {err}");
        }
    }
    assert_eq!(end("cd /").0, 0, "a builtin wins over a program of its name");
}

#[test]
fn settings_of_bash_make_every_command_its_business() {
    for (name, value) in [("BASH_ENV", "/dev/null"), ("BASH_FUNC_env%%", "() { echo mine; }"), ("IFS", ",")] {
        let place = Place::new(&[(name, value)]);
        assert_eq!(place.directly("/usr/bin/env"), None, "{name}");
    }
}

#[test]
fn jobs_have_oars_environment() {
    let place = Place::new(&[("OAR_JOB_ID", "77")]);
    let trace = place.by_bash("./dump");
    let folder = place.folder.path().display();
    for line in [
        "OAR_JOB_ID=1".to_owned(),
        "OAR_ARRAY_ID=1".to_owned(),
        "OAR_ARRAY_INDEX=1".to_owned(),
        "OAR_PROJECT_NAME=default".to_owned(),
        "OAR_JOB_WALLTIME_SECONDS=7200".to_owned(),
        format!("OAR_WORKDIR={folder}"),
        format!("OAR_STDOUT={folder}/OAR.1.stdout"),
        "HOME=/home/alice".to_owned(),
        "USER=alice".to_owned(),
    ] {
        assert!(trace.out.lines().any(|found| found == line), "{line} is not in {}", trace.out);
    }
    let nodefile = trace.out.lines().find_map(|line| line.strip_prefix("OAR_NODEFILE=")).unwrap();
    assert_eq!(std::fs::read_to_string(Path::new(nodefile)).unwrap(), "node1\n");
}

/// What bash makes of the words behind a program.
fn words_by_bash(text: &str) -> Option<Vec<String>> {
    let script = format!("/usr/bin/printf '%s\\0' {text}");
    let output = Command::new("/bin/bash").args(["-c", &script]).env_clear().output().unwrap();
    let mut words: Vec<_> = String::from_utf8(output.stdout).ok()?.split('\0').map(str::to_owned).collect();
    words.pop();
    output.status.success().then_some(words)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 300, failure_persistence: None, ..proptest::prelude::ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_recognised_means_the_same_to_bash(text in "([a-zA-Z0-9_./:,+@%=-]|[ \t']|[ $;&|<>(){}~*?#!\"\\\\^`é]){0,12}") {
        // A parameter in front, for otherwise printf would print an empty string for nothing.
        if let Some(plain) = super::plain::recognise(&format!("./program first {text}")) {
            proptest::prop_assert_eq!(Some(plain.words[1..].to_vec()), words_by_bash(&format!("first {text}")));
        }
    }
}
