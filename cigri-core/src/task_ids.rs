//! Which global id each task of a campaign has. A campaign gets consecutive ids when it is taken in; tasks that are added
//! later get further ones, above those that other campaigns took meanwhile.

/// The ids of a campaign's tasks: runs of consecutive ids, both indices and ids ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskIds {
    /// First index and first id of each run; the first begins at index 0.
    runs: Vec<(u64, u64)>,
    /// Number of tasks.
    count: u64,
}

impl TaskIds {
    /// The ids of `count` tasks that follow `first`.
    pub fn consecutive(first: u64, count: u64) -> TaskIds {
        TaskIds { runs: vec![(0, first)], count }
    }

    /// The same with a further run: tasks from `first_index` have the ids from `first_id`, each above all before.
    /// `None` if that contradicts what is there.
    #[must_use]
    pub fn with_run(mut self, first_index: u64, first_id: u64) -> Option<TaskIds> {
        let (last_index, last_id) = self.runs.last().copied()?;
        let length = first_index.checked_sub(last_index)?;
        let next_id = last_id.checked_add(length)?;
        if length == 0 || first_id < next_id || first_index > self.count {
            return None;
        }
        // Nobody took an id in between: still one run.
        if first_id > next_id {
            self.runs.push((first_index, first_id));
        }
        Some(self)
    }

    /// Id of the first task.
    pub fn first(&self) -> u64 {
        self.runs.first().map_or(0, |(_, id)| *id)
    }

    /// Number of tasks.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The id of the task with this index. `None` beyond the last one: a task that was added since these ids were
    /// read may have any.
    pub fn id_of(&self, index: u64) -> Option<u64> {
        let (first_index, first_id) = self.runs.iter().rev().find(|(first, _)| *first <= index)?;
        (index < self.count).then(|| first_id + (index - first_index))
    }

    /// The index of the task with this id, if it is one of the campaign's.
    pub fn index_of(&self, id: u64) -> Option<u64> {
        let (first_index, first_id) = self.runs.iter().rev().find(|(_, first)| *first <= id)?;
        let index = first_index + (id - first_id);
        (self.id_of(index) == Some(id)).then_some(index)
    }

    /// Shell arithmetic that gives the index for the id in `$1`, without blanks: `$1-2000-($1>=9000)*6900`.
    ///
    /// A sum without nesting, so that who reads it needs no stack: each run takes away its own gap.
    pub fn arithmetic(&self) -> String {
        let mut text = format!("$1-{}", self.first());
        let mut before = self.first();
        for (first_index, first_id) in self.runs.iter().skip(1) {
            let offset = first_id - first_index;
            text.push_str(&format!("-($1>={first_id})*{}", offset - before));
            before = offset;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_must_ascend_and_neighbours_are_one() {
        let ids = TaskIds::consecutive(100, 50);
        assert_eq!(ids.clone().with_run(10, 110), Some(ids.clone()), "no gap");
        for (index, id) in [(0, 200), (10, 109), (51, 200)] {
            assert_eq!(ids.clone().with_run(index, id), None, "{index} {id}");
        }
        let ids = ids.with_run(10, 200).unwrap();
        assert_eq!(ids.clone().with_run(10, 300), None);
        assert_eq!(ids.arithmetic(), "$1-100-($1>=200)*90");
        assert_eq!(
            [0, 9, 10, 49, 50].map(|index| ids.id_of(index)),
            [Some(100), Some(109), Some(200), Some(239), None]
        );
        assert_eq!(
            [99, 100, 109, 110, 199, 200, 239, 240].map(|id| ids.index_of(id)),
            [None, Some(0), Some(9), None, None, Some(10), Some(49), None]
        );
    }
}
