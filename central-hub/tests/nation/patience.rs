//! Every wait of a test has an end, and says what it waited for.

use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a test waits for something that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for a command: `rebuild` judges a whole nation.
const PATIENCE_WITH_COMMANDS: Duration = Duration::from_secs(300);

/// What a command says that must end some time; one that does not is killed and named.
pub(crate) fn output(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn();
    let child = child.expect("the command starts");
    let process = Pid::from_child(&child);
    let (ended, waits) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    match waits.recv_timeout(PATIENCE_WITH_COMMANDS) {
        Ok(output) => output.expect("its words can be read"),
        Err(_) => {
            let _ = kill_process(process, Signal::KILL);
            panic!("{command:?} did not end within {PATIENCE_WITH_COMMANDS:?}");
        }
    }
}

/// What a command says that must succeed.
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = output(command);
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {complained}{said}");
    output
}

/// Waits for something, and says what did not come.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
