//! What grouping saves: a thousand tasks that do nothing, as jobs of their own and in groups, and what each way asks of
//! the cluster. `cargo test --release -p cigri-server --test fire -- --ignored --nocapture grouping`

use std::time::Instant;

use crate::bench::{Bench, Tasks};
use crate::server::Limits;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_grouping_saves() {
    println!("| 1 000 x `true` | requests | per task | seconds |\n|---|---|---|---|");
    for (what, grouping) in [("jobs of their own", 1), ("groups of 50", 50)] {
        let bench = Bench::new(2, (0.0, 0), Limits { max_array: 500, max_waiting: 500, period_s: 1, backlog: None });
        let tasks = Tasks { count: 1000, sleep: 0.0, failing: u64::MAX };
        let server = bench.serve().await;
        bench.give_tokens(&server).await;
        let mut jdl = bench.campaign(tasks);
        jdl["clusters"]["dahu"]["exec_file"] = "true".into();
        if grouping > 1 {
            jdl["temporal_grouping"] = grouping.into();
        }
        let (before, started) = (bench.proxy.seen().len(), Instant::now());
        let id = server.post("/campaigns", &jdl).await["id"].as_i64().unwrap();
        let campaign = bench.wait_for_end(&server, id).await;
        assert_eq!(campaign["done"], 1000);
        let (requests, time) = (bench.proxy.seen().len() - before, started.elapsed().as_secs_f64());
        println!("| {what} | {requests} | {:.2} | {time:.1} |", requests as f64 / 1000.0);
    }
}
