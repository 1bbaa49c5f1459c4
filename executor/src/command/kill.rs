//! Signals a process with everything that it started, and draws that as a tree.
//! Called by the command executor and by the health checker. Never waits for an end, never
//! reaps.
//!
//! Upstream: `os::killtree`, `os::pstrees`, `stringify(std::list<os::ProcessTree>)`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use libprocess::os::processes::{Process, ProcessTable, ReadError, command_line};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Processes that were signalled, by pid.
#[derive(Debug, Default)]
pub struct ProcessTrees(BTreeMap<i32, Node>);

#[derive(Clone, Debug)]
struct Node {
    parent: i32,
    /// The command line with a blank behind each word, or the name in parentheses of a process
    /// that waits to be reaped.
    command: String,
}

/// Signals `root`, all that descends from it, and all that shares a group or a session with
/// one of these, except with the root's parent. If the root is gone, those in the group and the
/// session that it led. Gives what it found; whatever ends meanwhile is no error.
///
/// Everything is stopped first, so that nothing can escape by forking.
///
/// # Errors
/// The table of processes cannot be read. Some may have been stopped and told to go on by then.
pub fn killtree(root: i32, signal: Signal) -> Result<ProcessTrees, ReadError> {
    let mut stopped = BTreeMap::new();
    let walked = stop(root, &mut stopped);
    let pids = || stopped.keys().map(|pid| Pid::from_raw(*pid));
    // Each may have ended, or be another user's: what can be signalled is.
    if walked.is_ok() {
        let _: Vec<_> = pids().map(|pid| kill(pid, signal)).collect();
    }
    let _: Vec<_> = pids().map(|pid| kill(pid, Signal::SIGCONT)).collect();
    walked.map(|()| ProcessTrees(stopped))
}

/// Stops what is found, looking again after each stop.
fn stop(root: i32, stopped: &mut BTreeMap<i32, Node>) -> Result<(), ReadError> {
    let mut table = ProcessTable::read()?;
    let mut queue: Vec<i32> = seeds(&table, root);
    let parent = table.0.get(&root).and_then(|process| table.0.get(&process.parent));
    let mut groups: BTreeSet<i32> = parent.map(|parent| parent.group).into_iter().collect();
    let mut sessions: BTreeSet<i32> = parent.map(|parent| parent.session).into_iter().collect();
    while let Some(pid) = queue.pop() {
        let Some(process) = table.0.remove(&pid) else { continue };
        if stopped.contains_key(&pid) || pid == own_pid() {
            continue;
        }
        stopped.insert(pid, Node::new(&process, &command_line(pid)));
        // It may have ended just now; then it forks no more either.
        let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
        table = ProcessTable::read()?;
        let (group, session) = (process.group, process.session);
        let (new_group, new_session) = (groups.insert(group), sessions.insert(session));
        queue.extend(table.matching(|other| {
            other.parent == pid
                || (new_group && other.group == group)
                || (new_session && other.session == session)
        }));
    }
    Ok(())
}

/// Where the walk starts.
fn seeds(table: &ProcessTable, root: i32) -> Vec<i32> {
    if table.0.contains_key(&root) {
        return vec![root];
    }
    table.matching(|process| process.group == root || process.session == root).collect()
}

fn own_pid() -> i32 {
    Pid::this().as_raw()
}

impl Node {
    fn new(process: &Process, words: &[String]) -> Self {
        let command = match process {
            Process { zombie: true, name, .. } => format!("({name})"),
            Process { name, .. } if words.is_empty() => name.clone(),
            _ => words.iter().map(|word| format!("{word} ")).collect(),
        };
        Self { parent: process.parent, command }
    }
}

impl ProcessTrees {
    fn draw(&self, pid: i32, node: &Node) -> String {
        let children: Vec<_> = self.0.iter().filter(|(_, other)| other.parent == pid).collect();
        if children.is_empty() {
            return format!("--- {pid} {}", node.command);
        }
        let mut text = format!("-+- {pid} {}", node.command);
        for (place, (pid, child)) in children.iter().enumerate() {
            let (branch, margin) =
                if place + 1 == children.len() { (" \\", "\n  ") } else { (" |", "\n |") };
            text += &format!("\n{branch}{}", self.draw(**pid, child).replace('\n', margin));
        }
        text
    }
}

impl fmt::Display for ProcessTrees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots = self.0.iter().filter(|(_, node)| !self.0.contains_key(&node.parent));
        let trees: Vec<String> = roots.map(|(pid, node)| self.draw(*pid, node)).collect();
        write!(f, "[ \n{}\n]", trees.join("\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trees(rows: &[(i32, i32, &str)]) -> String {
        let node = |&(pid, parent, command): &(i32, i32, &str)| {
            (pid, Node { parent, command: command.to_owned() })
        };
        ProcessTrees(rows.iter().map(node).collect()).to_string()
    }

    #[test]
    fn trees_print_as_upstream() {
        assert_eq!(trees(&[]), "[ \n\n]");
        assert_eq!(trees(&[(5, 1, "sleep 10 ")]), "[ \n--- 5 sleep 10 \n]");
        assert_eq!(
            trees(&[(5, 1, "sh "), (6, 5, "a "), (7, 6, "(b)"), (8, 5, "c "), (9, 8, "d ")]),
            "[ \n-+- 5 sh \n |-+- 6 a \n | \\--- 7 (b)\n \\-+- 8 c \n   \\--- 9 d \n]"
        );
        assert_eq!(trees(&[(5, 1, "a "), (6, 1, "b ")]), "[ \n--- 5 a \n\n--- 6 b \n]");
    }
}
