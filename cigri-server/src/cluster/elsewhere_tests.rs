//! What a campaign does on one cluster while another one of its clusters is closed.

use std::sync::Arc;

use cigri_core::language::{AfterTest, CampaignSpec, TestMode};
use cigri_core::meter::{ClusterLimits, Mode};
use cigri_core::state::Stage;
use cigri_store::{ClusterKind, ClusterRow};
use oar_client::Token;
use oar_local::chaos::Plan;

use super::Round;
use super::elsewhere::Elsewhere;
use super::virtual_world::{VirtualServer, Wire, spec};

/// A server with another cluster beside `dahu`, of which nothing is asked.
fn beside_luke(change: impl FnOnce(&mut ClusterLimits)) -> VirtualServer {
    let server = VirtualServer::new(7, Plan::default());
    let mut limits = ClusterLimits::default();
    change(&mut limits);
    let (name, url) = ("luke".to_owned(), "http://luke.test/".to_owned());
    let row = ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None };
    server.grid.add_with(row, Arc::new(Wire(Arc::clone(&server.world)))).unwrap();
    // Which user it is for is all that is read of it.
    let token = server.world.face.lock().unwrap().cluster().issue_token("alice", 365 * 86_400, server.now());
    server.grid.put_token("alice", "luke", &Token::new(token).unwrap()).unwrap();
    server
}

fn on_both() -> CampaignSpec {
    let mut spec = spec();
    let cluster = spec.clusters["dahu"].clone();
    spec.clusters.insert("luke".to_owned(), cluster);
    spec
}

/// Where a task that failed on `dahu` could go instead.
async fn open_elsewhere(server: &VirtualServer) -> Vec<String> {
    server.campaign_like("alice", &on_both(), 3);
    let handle = server.grid.cluster("dahu").unwrap();
    let round = Round::begin(&server.grid, &handle, server.now()).await.unwrap();
    let store = &server.grid.store;
    let (mut view, tokens) = (store.round_view("dahu").unwrap(), store.all_tokens().unwrap());
    let mut campaign = view.campaigns.remove(0);
    assert_eq!(campaign.open_elsewhere(), ["luke"], "no hold closes it");
    Elsewhere::new(store.list_clusters().unwrap()).narrow(&round, &mut campaign, &tokens).unwrap();
    campaign.open_elsewhere()
}

#[tokio::test]
async fn a_task_that_failed_waits_for_another_cluster_only_while_that_is_open() {
    assert_eq!(open_elsewhere(&beside_luke(|_| ())).await, ["luke"]);
    for mode in [Mode::Drained, Mode::Disabled] {
        assert!(open_elsewhere(&beside_luke(|limits| limits.mode = mode)).await.is_empty(), "{mode}");
    }
    // Its clock is at 03:33 on a Wednesday.
    let window = |text: &'static str| beside_luke(move |limits| limits.windows = vec![text.parse().unwrap()]);
    assert!(open_elsewhere(&window("Sat 04:00-05:00")).await.is_empty());
    assert_eq!(open_elsewhere(&window("Wed 03:00-05:00")).await, ["luke"]);
}

/// What the owner is told when the sample is over, if it comes to that within 60 rounds on `dahu`.
async fn end_of_sample(server: &mut VirtualServer) -> Option<String> {
    let spec = CampaignSpec { test: Some(TestMode { jobs: 2, then: AfterTest::Continue }), ..on_both() };
    let id = server.campaign_like("alice", &spec, 20);
    for _ in 0..60 {
        server.round(None).await;
        if server.grid.store.campaign(id).unwrap().stage != Stage::Testing {
            let events = server.grid.store.campaign_events(id, &[], false).unwrap();
            return events.into_iter().map(|event| event.message).find(|text| text.starts_with("sample:"));
        }
    }
    None
}

#[tokio::test]
async fn a_sample_does_not_wait_for_a_cluster_that_its_admin_closed() {
    for (mode, words) in [(Mode::Drained, "drained"), (Mode::Disabled, "disabled")] {
        let mut server = beside_luke(|limits| limits.mode = mode);
        let told = end_of_sample(&mut server).await.unwrap();
        let reason = format!("not all of it could run on luke (the cluster is {words})");
        assert!(told.starts_with("sample: 2 of 2 tasks succeeded on dahu") && told.contains(&reason), "{told}");
    }
}

#[tokio::test]
async fn a_sample_that_ran_elsewhere_does_not_wait_for_a_window_and_one_that_ran_nowhere_does() {
    let closed = |limits: &mut ClusterLimits| limits.windows = vec!["Sat 04:00-05:00".parse().unwrap()];
    let told = end_of_sample(&mut beside_luke(closed)).await.unwrap();
    assert!(told.contains("not all of it could run on luke (") && told.contains("Sat 04:00"), "{told}");
    let mut server = beside_luke(closed);
    server.limit(closed);
    assert_eq!(end_of_sample(&mut server).await, None);
}
