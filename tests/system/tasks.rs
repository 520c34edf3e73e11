//! Tasks that tell what became of them: each attempt appends a line to a file of its task when it begins and when it ends.

use std::collections::BTreeMap;

use crate::sandbox::Sandbox;

/// A campaign of such tasks.
pub(crate) struct Told<'a> {
    sandbox: &'a Sandbox,
    folder: String,
    /// How many tasks.
    pub(crate) count: u64,
}

/// What the attempts of one task have told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Story {
    /// Attempts that began, in this order.
    pub(crate) begun: Vec<u32>,
    /// Attempts that came to their end.
    pub(crate) ended: Vec<u32>,
}

impl<'a> Told<'a> {
    /// `count` tasks of `seconds` each, in the campaign file `file`.
    pub(crate) fn write(sandbox: &'a Sandbox, file: &str, count: u64, seconds: &str) -> Self {
        let folder = format!("{file}.told");
        std::fs::create_dir_all(sandbox.path(&folder)).unwrap();
        let script = format!("{file}.sh");
        // One write each, appended: lines of two attempts never mix.
        sandbox.write(
            &script,
            format!(
                "tell() {{ echo \"$1 $CIGRI_ATTEMPT\" >>'{folder}'/$CIGRI_TASK_INDEX; }}\n\
                 tell begun\nsleep {seconds}\ntell ended\n"
            ),
        );
        let campaign = format!(
            r#"{{"name": "told", "nb_jobs": {count}, "exec_file": "sh {script}", "clusters": {{"here": {{}}}}}}"#
        );
        sandbox.write(file, campaign);
        Self { sandbox, folder, count }
    }

    /// What has been told so far, by task.
    pub(crate) fn stories(&self) -> BTreeMap<u64, Story> {
        let entries = std::fs::read_dir(self.sandbox.path(&self.folder)).unwrap().map(Result::unwrap);
        entries
            .map(|entry| {
                let task = entry.file_name().into_string().unwrap().parse().unwrap();
                (task, story(&std::fs::read_to_string(entry.path()).unwrap()))
            })
            .collect()
    }

    /// How many tasks have come to an end so far.
    pub(crate) fn ended(&self) -> usize {
        self.stories().values().filter(|story| !story.ended.is_empty()).count()
    }

    /// How many attempts have begun so far.
    pub(crate) fn begun(&self) -> usize {
        self.stories().values().map(|story| story.begun.len()).sum()
    }

    /// Insists that every task came to its end, and that no attempt was made twice.
    #[track_caller]
    pub(crate) fn expect_all_done(&self) {
        let stories = self.stories();
        for task in 0..self.count {
            let story = stories.get(&task).unwrap_or_else(|| panic!("task {task} never began"));
            assert!(!story.ended.is_empty(), "task {task} never ended: {story:?}");
            let mut attempts = story.begun.clone();
            attempts.sort_unstable();
            attempts.dedup();
            assert_eq!(attempts.len(), story.begun.len(), "an attempt of task {task} began twice: {story:?}");
        }
        assert_eq!(stories.len() as u64, self.count, "no task but those of the campaign");
    }
}

fn story(text: &str) -> Story {
    let mut story = Story::default();
    for line in text.lines() {
        let (word, attempt) = line.split_once(' ').unwrap();
        let attempts = if word == "begun" { &mut story.begun } else { &mut story.ended };
        attempts.push(attempt.parse().unwrap());
    }
    story
}
