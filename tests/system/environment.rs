//! A machine that refuses: no permission, no room, something in the way. One clear message, code 5, nothing half-made.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::sandbox::Sandbox;

const TRUE: &str = r#"{"name": "t", "nb_jobs": 2, "exec_file": "true", "clusters": {"here": {}}}"#;

#[test]
fn a_data_directory_that_cannot_be() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", TRUE);
    let file = sandbox.write("file", "");
    let inside = file.join("data");
    let run = sandbox.cigri(&["run", "c.json", "--data-dir", inside.to_str().unwrap()]);
    run.expect(5);
    assert!(run.error().contains(inside.to_str().unwrap()), "{run}");
}

#[test]
fn a_data_directory_without_write_permission() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("locked");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o555)).unwrap();
    let file = sandbox.write("c.json", TRUE);
    let words = ["run", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
    let mut command = sandbox.command(&words);
    if nix::unistd::getuid().is_root() {
        // Nothing is forbidden to root: be somebody else, in folders that this somebody may enter.
        let mut folder = sandbox.path("");
        while folder.starts_with(std::env::temp_dir()) && folder != std::env::temp_dir() {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
            folder = folder.parent().unwrap().to_owned();
        }
        command.uid(65534).gid(65534);
        if !can_be_run_by_nobody() {
            eprintln!("SKIPPED: the program under test cannot be reached by another user");
            return;
        }
    }
    let run = sandbox.start_command(command).wait();
    run.expect(5);
    assert!(run.error().contains(data.to_str().unwrap()), "{run}");
    assert!(run.error().contains("ermi"), "permission is what lacks: {run}");
}

fn can_be_run_by_nobody() -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cigri"));
    command.arg("--version").uid(65534).gid(65534).current_dir("/");
    command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn something_in_the_place_of_the_socket() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", TRUE);
    std::fs::create_dir_all(sandbox.data().join("cigri.sock")).unwrap();
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(5);
    assert!(run.error().contains("cigri.sock"), "{run}");
}

#[test]
fn a_stale_socket_is_no_obstacle() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", TRUE);
    std::fs::create_dir_all(sandbox.data()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(sandbox.data().join("cigri.sock")).unwrap());
    sandbox.cigri(&["run", "c.json"]).expect(0);
}

#[test]
fn a_database_that_is_none() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", TRUE);
    std::fs::create_dir_all(sandbox.data()).unwrap();
    std::fs::write(sandbox.data().join("cigri.sqlite"), "this is not a database, but long enough to be read").unwrap();
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(5);
    assert!(run.error().contains("cigri.sqlite"), "{run}");
}

#[test]
fn a_server_that_is_not_there() {
    let sandbox = Sandbox::new();
    let run = sandbox.cigri(&["--server", "absent.sock", "list"]);
    run.expect(5);
    assert!(run.error().contains("absent.sock"), "{run}");
    assert!(!sandbox.data().exists());
}

#[test]
fn a_disk_without_room_for_anything() {
    let sandbox = Sandbox::new();
    let Some(disk) = Disk::mount(&sandbox, "64k") else { return };
    std::fs::write(disk.path.join("filler"), vec![0; 60 << 10]).unwrap();
    let file = sandbox.write("c.json", TRUE);
    let data = disk.path.join("data");
    let run = sandbox.cigri(&["run", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
    run.expect(5);
    run.error();
}

#[test]
fn a_disk_that_fills_up_while_parameters_arrive() {
    let sandbox = Sandbox::new();
    let Some(disk) = Disk::mount(&sandbox, "3m") else { return };
    sandbox.write("c.json", TRUE.replace(r#""nb_jobs": 2"#, r#""param_file": "p.txt""#));
    sandbox.write("p.txt", "some parameter of a good length, so that many of them fill a disk\n".repeat(200_000));
    let data = disk.path.join("data");
    let data = data.to_str().unwrap();
    let run = sandbox.cigri(&["run", "c.json", "--data-dir", data]);
    run.expect(5);
    assert!(run.error().contains("full"), "{run}");
    let list = sandbox.json(&["list", "--all", "--data-dir", data]);
    assert_eq!(list["total"], 0, "no half-made campaign is left: {list}");
    disk.grow("20m");
    sandbox.write("small.json", TRUE);
    sandbox.cigri(&["run", "small.json", "--data-dir", data]).expect(0);
}

/// A small disk of its own, taken away at the end.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// `None`, said loudly, where only root may do this and we are not.
    fn mount(sandbox: &Sandbox, size: &str) -> Option<Self> {
        let path = sandbox.path("disk");
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={size},mode=0755");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self { path });
        }
        eprintln!("SKIPPED: no small disk can be mounted here (needs root)");
        None
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        let mount = Command::new("mount").args(["-o", &options]).arg(&self.path).output().unwrap();
        assert!(mount.status.success(), "{mount:?}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}
