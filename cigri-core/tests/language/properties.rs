//! What holds for any text at all: no panic, a place for every problem, and nothing lost on the way through storage.

use cigri_core::command::{parameter_line, parse_parameter_line, remote_command, task_of_command};
use cigri_core::language::{Context, Limits, LineSplitter, Problems, adapt_to_local, parse, parse_added, resolve};
use cigri_core::task_ids::TaskIds;
use proptest::prelude::*;
use serde_json::Value;

use super::context::{cluster_with, plain, streamed};
use super::generated::{any_json, campaign, fields};
use super::schema::faults;

fn problems_of(text: &[u8], context: &Context<'_>) -> Problems {
    let resolved = parse(text, &Limits::default()).and_then(|written| resolve(written, context));
    match resolved {
        Err(problems) => problems,
        Ok(resolved) => {
            adapt_to_local(&resolved.spec);
            Problems(Vec::new())
        }
    }
}

fn assert_placed(problems: &Problems) {
    for problem in &problems.0 {
        assert!(!problem.path.is_empty() || problem.line.is_some(), "{problem:?}");
        assert!(!problem.to_string().contains('\n'), "{problem:?}");
        assert!(problem.found.chars().count() <= 1200, "{problem:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer_with_a_place(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_placed(&problems_of(&bytes, &plain()));
    }

    #[test]
    fn any_text_gives_an_answer_with_a_place(text in any::<String>()) {
        assert_placed(&problems_of(text.as_bytes(), &plain()));
    }

    #[test]
    fn any_json_gives_an_answer_with_a_place(value in any_json()) {
        assert_placed(&problems_of(value.to_string().as_bytes(), &plain()));
    }

    #[test]
    fn a_campaign_cut_anywhere_is_a_problem_with_a_line(value in campaign(), cut in any::<prop::sample::Index>()) {
        let text = value.to_string();
        let mut end = cut.index(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let problems = parse(&text.as_bytes()[..end], &Limits::default()).unwrap_err();
        prop_assert_eq!(problems.0.len(), 1);
        prop_assert!(problems.0[0].line.is_some());
    }

    #[test]
    fn a_stored_campaign_is_the_same_campaign(value in campaign()) {
        let written = parse(value.to_string().as_bytes(), &Limits::default()).unwrap();
        let stored = written.without_parameters();
        let read_again = parse(stored.as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(&read_again.without_parameters(), &stored);
        let first = resolve(written, &plain()).unwrap();
        // A list of parameters is stored apart.
        let context = if value.get("params").is_some() { streamed() } else { plain() };
        let second = resolve(read_again, &context).unwrap();
        prop_assert_eq!(&first.spec, &second.spec);
        let spec = serde_json::to_string(&first.spec).unwrap();
        prop_assert_eq!(serde_json::from_str::<cigri_core::language::CampaignSpec>(&spec).unwrap(), first.spec);
    }

    #[test]
    fn what_the_program_accepts_fits_the_schema(value in campaign()) {
        prop_assert_eq!(faults(&value), Vec::<String>::new());
    }

    #[test]
    fn lines_do_not_depend_on_the_chunks(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()], 0..60),
        size in 1_usize..20,
    ) {
        let split = |size: usize| {
            let mut lines = Vec::new();
            let mut splitter = LineSplitter::new(&Limits::default());
            for chunk in bytes.chunks(size) {
                splitter.push(chunk, &mut lines)?;
            }
            splitter.finish(&mut lines).map(|warnings| (lines, warnings))
        };
        prop_assert_eq!(split(size), split(1000));
    }

    #[test]
    fn a_task_is_found_again_in_its_command(task in any::<u64>(), attempt in any::<u32>(), parameter in any::<String>()) {
        let line = parameter_line(task, attempt, &parameter);
        prop_assert_eq!(parse_parameter_line(&line), Some((task, attempt, parameter.as_str())));
        let command = remote_command(3, "dahu", &TaskIds::consecutive(0, 1), &cluster_with(""), &[]);
        prop_assert_eq!(task_of_command(&format!("{command} {line}")), Some((task, attempt)));
    }

    #[test]
    fn no_text_is_mistaken_for_a_task_by_a_crash(text in any::<String>()) {
        task_of_command(&text);
        task_of_command(&format!("_c(){{ export CIGRI_CAMPAIGN_ID=1}}; _c {text}"));
        parse_parameter_line(&text);
    }
}

proptest! {
    #[test]
    fn any_list_to_be_added_is_taken_as_it_is_or_refused_with_a_place(value in any_json(), bytes in any::<Vec<u8>>()) {
        for text in [serde_json::to_vec(&value).unwrap(), bytes] {
            if let Err(problems) = parse_added(&text, &[], &Limits::default()) {
                prop_assert!(!problems.0.is_empty());
                prop_assert!(problems.0.iter().all(|problem| problem.line.is_some() || problem.path.starts_with("jobs[")));
            }
        }
    }

    #[test]
    fn texts_without_line_ends_are_added_as_they_are(texts in prop::collection::vec("[^\\n\\r\\x00]{0,40}", 1..20)) {
        let (read, _) = parse_added(&serde_json::to_vec(&texts).unwrap(), &[], &Limits::default()).unwrap();
        prop_assert_eq!(read, texts);
    }
}

proptest! {
    // Each case is a heap of values, and slow to make.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_fields_give_an_answer_with_a_place(fields in fields(any_json())) {
        let text = Value::Object(fields).to_string();
        assert_placed(&problems_of(text.as_bytes(), &plain()));
        assert_placed(&problems_of(text.as_bytes(), &streamed()));
    }

    #[test]
    fn one_field_of_a_sound_campaign_may_be_anything(
        value in campaign(),
        extra in fields(any_json()),
        in_cluster in any::<bool>(),
    ) {
        let mut value = value;
        let clusters = value["clusters"].as_object_mut().unwrap();
        match (in_cluster, clusters.values_mut().next().and_then(Value::as_object_mut)) {
            (true, Some(cluster)) => cluster.extend(extra),
            _ => value.as_object_mut().unwrap().extend(extra),
        }
        assert_placed(&problems_of(value.to_string().as_bytes(), &plain()));
    }
}
