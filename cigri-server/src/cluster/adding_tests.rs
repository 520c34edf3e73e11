//! Tasks that are added while a round is under way, whose picture of the campaign is older.

use cigri_core::command::parse_parameter_line;
use cigri_core::state::Role;
use cigri_store::{NewCampaign, NewTasks};
use oar_local::chaos::Plan;

use super::virtual_world::{self, VirtualServer};
use super::{Round, submit};

#[test]
fn tasks_added_after_the_rounds_picture_are_sent_under_their_own_ids() {
    virtual_world::alone(async {
        let mut server = VirtualServer::new(1, Plan::default());
        let (id, other) = (server.campaign(2), server.campaign(3));
        let store = server.grid.store.clone();
        let view = store.round_view("dahu").unwrap();
        let stale = view.campaigns.into_iter().find(|campaign| campaign.row.id == id).unwrap();
        let added = ["x".to_owned(), "y z".to_owned()];
        store.add_tasks(id, NewTasks::Texts(&added), None).unwrap();
        let handle = server.grid.cluster("dahu").unwrap();
        let round = Round::begin(&server.grid, &handle, server.now()).await.unwrap();
        submit::submit(&round, &mut server.memory, &stale, (Role::Tasks, 10, 0)).await.unwrap();
        assert_eq!(store.campaign(id).unwrap().live, 4, "the added ones go as well");
        for _ in 0..100 {
            server.round(None).await;
        }
        let rows = [id, other].map(|id| store.campaign(id).unwrap());
        assert_eq!(rows.each_ref().map(|row| (row.done, row.task_count)), [(4, 4), (3, 3)]);
        let mut ran = Vec::new();
        for (command, _) in server.world.face.lock().unwrap().runs() {
            let Some((_, line)) = command.split_once("}; _c ") else { continue };
            let (task, _, text) = parse_parameter_line(line).unwrap();
            let of = rows.iter().find_map(|row| Some((row.id, row.task_ids.index_of(task)?)));
            let (campaign, index) = of.unwrap_or_else(|| panic!("nobody's task {task}: {command}"));
            assert_eq!(store.parameters(campaign, index as i64, 1).unwrap(), [text], "{command}");
            ran.push((campaign, index));
        }
        ran.sort_unstable();
        ran.dedup();
        assert_eq!(ran, [(id, 0), (id, 1), (id, 2), (id, 3), (other, 0), (other, 1), (other, 2)]);
    });
}

#[test]
fn a_campaign_that_cannot_be_read_keeps_no_other_waiting() {
    virtual_world::alone(async {
        let mut server = VirtualServer::new(1, Plan::default());
        let store = server.grid.store.clone();
        let spec = virtual_world::spec();
        let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
        let broken = store.begin_campaign(&new, server.now()).unwrap();
        // Its parameters are nowhere.
        store.open_campaign(broken, 3, false).unwrap();
        let sound = server.campaign(3);
        for _ in 0..100 {
            server.round(None).await;
        }
        assert_eq!(store.campaign(sound).unwrap().done, 3);
        let row = store.campaign(broken).unwrap();
        assert_eq!((row.pending, row.live), (3, 0), "nothing of it is lost");
        assert!(store.shares(&row).unwrap()["dahu"].hold.is_some(), "its owner is told");
    });
}
