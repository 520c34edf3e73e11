//! What real programs print when they fail, and what anything at all might print.

use proptest::prelude::*;

use super::*;
use crate::failure::Class;

fn of(bytes: &[u8]) -> Option<String> {
    signature(&readable(bytes))
}

#[test]
fn well_known_texts_say_what_is_missing() {
    let table = [
        ("Traceback (most recent call last):\n  File \"a.py\", line 3\nMemoryError", Class::Memory),
        ("terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc", Class::Memory),
        (
            "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat A.main(A.java:5)",
            Class::Memory,
        ),
        ("fork: Cannot allocate memory", Class::Memory),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", Class::Memory),
        ("slurmstepd: error: Detected 1 oom-kill event(s)", Class::Memory),
        ("cp: error writing '/scratch/a': No space left on device", Class::Disk),
        ("OSError: [Errno 122] Disk quota exceeded: 'out.h5'", Class::Disk),
        ("cat: /data/in_7.txt: No such file or directory", Class::MissingFile),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'in.csv'", Class::MissingFile),
        ("ModuleNotFoundError: No module named 'numpy'", Class::MissingModule),
        ("ImportError: cannot import name 'x'", Class::MissingModule),
        (
            "./sim: error while loading shared libraries: libfoo.so.1: cannot open shared object file: No such file or \
          directory",
            Class::MissingModule,
        ),
        ("job.sh: line 2: module: command not found", Class::MissingModule),
        (
            "Lmod has detected the following error:  The following module(s) are unknown: \"gcc/14\"",
            Class::MissingModule,
        ),
        ("License checkout failed.\nLicense Manager Error -4", Class::Licence),
        ("FLEXnet Licensing error:-15,570. Cannot connect to the license server", Class::Licence),
        ("Licence server not available", Class::Licence),
        ("read: Stale file handle", Class::Node),
    ];
    for (text, class) in table {
        assert_eq!(class_of(&readable(text.as_bytes())), Some(class), "{text}");
    }
    for text in ["ValueError: alpha must be positive", "", "license: MIT", "Killed"] {
        assert_eq!(class_of(text), None, "{text}");
    }
}

#[test]
fn the_last_line_about_trouble_counts() {
    let text = "ls: No such file or directory\nretrying\nMemoryError\n";
    assert_eq!(class_of(text), Some(Class::Memory));
    assert_eq!(of(b"ValueError: x\nbye\n").as_deref(), Some("ValueError: x"));
    assert_eq!(of(b"all is well\nthe end\n\n").as_deref(), Some("the end"));
    assert_eq!(of(b" \n\t\n"), None);
}

#[test]
fn what_differs_from_task_to_task_is_left_out() {
    let table = [
        ("error in task 17 of 40000 after 3.5 s", "error in task <n> of <n> after <n> s"),
        ("cat: /data/run_12/in_7.txt: No such file or directory", "cat: /data/*/*.txt: No such file or directory"),
        ("./sim: error at 0x7ffe12ab", "./*: error at <hex>"),
        ("KeyError: 'sample_abc'", "KeyError: <text>"),
        ("can't open `a b' for task_3", "can't open <text> for task_<n>"),
        ("[2026-11-21 10:42:07,123] ERROR x", "[<time> <time>] ERROR x"),
        ("error: job 3f2504e0-4f89-11d3-9a0c-0305e82c3301 failed", "error: job <uuid> failed"),
        ("failed: http://h:80/x?y=1", "failed: <url>"),
        ("failed, residual 1.5e-10", "failed, residual <n>"),
        ("ModuleNotFoundError: No module named 'numpy'", "ModuleNotFoundError: No module named numpy"),
    ];
    for (line, normal) in table {
        assert_eq!(normalise(line), normal);
    }
}

#[test]
fn forty_thousand_tasks_with_one_error_make_one_group() {
    let line =
        |task: u32| format!("task {task}: cannot open /scratch/t{task}/in_{task}.h5 at 0x{:08x}, '{task}x'", task * 77);
    let groups: std::collections::BTreeSet<String> = (0..40_000).map(|task| normalise(&line(task))).collect();
    assert_eq!(groups.len(), 1, "{groups:?}");
}

#[test]
fn what_was_meant_for_a_terminal_is_readable() {
    let bytes = b"\x1b[31mERROR\x1b[0m: bad\x07\x00 \xff\xfe value\r\n\x1b]0;title\x07done 10%\rdone 20%";
    assert_eq!(readable(bytes), "ERROR: bad \u{fffd}\u{fffd} value\ndone 10%\ndone 20%");
    let unfinished = b"failed \x1b[31";
    assert_eq!(readable(unfinished), "failed ");
}

#[test]
fn of_a_huge_binary_only_the_end_is_read() {
    let mut bytes = vec![0xa5u8; 3 << 20];
    bytes.extend_from_slice(b"\nfatal: 7 is wrong\n");
    assert!(readable(&bytes).len() < 300_000);
    assert_eq!(of(&bytes).as_deref(), Some("fatal: <n> is wrong"));
}

fn holds(bytes: &[u8]) {
    let text = readable(bytes);
    class_of(&text);
    let Some(found) = signature(&text) else { return };
    assert!(found.chars().count() <= MOST_CHARS, "{found}");
    assert!(!found.contains(|character: char| character.is_ascii_digit() || character.is_control()), "{found}");
    assert_eq!(normalise(&found), found, "its own normal form");
}

proptest! {
    #[test]
    fn any_bytes_have_a_bounded_signature(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        holds(&bytes);
    }

    #[test]
    fn any_text_has_a_bounded_signature(text in "([a-f0-9./~'\"`:<>*\u{1b}\\[ -]|[xyz:/.' ]|\\PC){0,400}") {
        holds(text.as_bytes());
    }
}
