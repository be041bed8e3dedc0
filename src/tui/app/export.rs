//! Files that the dashboard writes when it is asked to, each on a thread of its own: the screen waits for none.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::recording::{self, Tape};
use crate::report::{ScreenSize, Target, place_anew};
use crate::text::file_name;
use crate::tui::export::{ExportOptions, Source, export, title};
use crate::tui::keys::Action;
use crate::tui::picture::picture;
use crate::tui::ui::Overlay;

use super::App;

/// Whoever leaves waits so long for what is still being written.
const PATIENCE: Duration = Duration::from_secs(10);

/// What recordings' names end with.
const RECORDING: &str = "jsonl";

/// What a file is written by; again, where its name was taken meanwhile.
type Writing = Box<dyn Fn(&mut dyn Write) -> io::Result<()> + Send>;

/// The files that are being written.
pub(super) struct Exports {
    done: Sender<Result<PathBuf, String>>,
    told: Receiver<Result<PathBuf, String>>,
    under_way: usize,
    stop: Arc<AtomicBool>,
}

impl Default for Exports {
    fn default() -> Exports {
        let (done, told) = mpsc::channel();
        Exports { done, told, under_way: 0, stop: Arc::default() }
    }
}

impl Exports {
    /// Whether a file is being written.
    pub(super) fn are_under_way(&self) -> bool {
        self.under_way > 0
    }

    fn start(
        &mut self,
        folder: &Path,
        stem: &str,
        extension: &'static str,
        write: Writing,
    ) -> io::Result<()> {
        let (folder, stem) = (folder.to_owned(), stem.to_owned());
        let (done, stop) = (self.done.clone(), self.stop.clone());
        let body = move || {
            let file = |file: &mut File| write(&mut Stoppable { file, stop: &stop });
            let placed = place_anew(&folder, &stem, extension, file);
            // Whoever left before does not want to know.
            let _ = done.send(placed.map_err(|error| error.to_string()));
        };
        thread::Builder::new().name("export".to_owned()).spawn(body)?;
        self.under_way += 1;
        Ok(())
    }

    /// What has come of a file since the last time.
    fn next(&mut self) -> Option<Result<PathBuf, String>> {
        let told = self.told.try_recv().ok()?;
        self.under_way -= 1;
        Some(told)
    }

    /// Waits for what is under way, but not for ever: then nothing is left of it.
    pub(super) fn finish(&mut self) {
        self.wait(PATIENCE);
        // The next write of each fails, and its file is removed.
        self.stop.store(true, Ordering::Relaxed);
        self.wait(Duration::from_secs(1));
    }

    fn wait(&mut self, most: Duration) {
        let deadline = Instant::now() + most;
        while self.under_way > 0
            && self.told.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
        {
            self.under_way -= 1;
        }
    }
}

/// A file that takes nothing more once it is told to stop.
struct Stoppable<'a> {
    file: &'a mut File,
    stop: &'a AtomicBool,
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("it was not waited for"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl App {
    /// Offers what the race can be exported as.
    pub(super) fn offer_exports(&mut self) {
        match self.state {
            Some(_) => self.ui.overlay = Overlay::Export { at: 0 },
            None => self.notice = Some("there is no race to export yet; r starts one".to_owned()),
        }
    }

    /// What a key does to the list of targets, of which one is selected.
    pub(super) fn in_exports(&mut self, target: Option<Target>, action: Action) {
        match action {
            Action::Close | Action::Export => self.ui.overlay = Overlay::None,
            Action::Enter => {
                self.ui.overlay = Overlay::None;
                if let Some(target) = target {
                    self.export(target);
                }
            }
            _ => {}
        }
    }

    /// Writes the race, as far as it came, into the output folder.
    fn export(&mut self, target: Target) {
        let write: Writing = match target {
            Target::Screen => {
                let mut frame = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
                self.paint(&mut frame);
                let Some(race) = self.picture() else { return };
                let after = self.now().since(self.reel.first_moment());
                let (theme, title) = (self.theme.clone(), title(race, self.ui.view, after));
                Box::new(move |out| picture(&frame, &theme, &title, out))
            }
            _ => {
                let Some(race) = self.state.clone() else { return };
                let tape = self.reel.whole().cloned();
                if target == Target::Cast && tape.is_none() {
                    return self.lack_events();
                }
                let options = ExportOptions {
                    size: ScreenSize::near(self.size.0, self.size.1),
                    theme: (target == Target::Cast).then_some(self.theme.name),
                    glyphs: self.look.glyphs,
                    ..ExportOptions::default()
                };
                let next = self.next.clone();
                Box::new(move |out| {
                    let source = Source { race: &race, tape: tape.as_deref(), next: &next, raced_with: None };
                    export(target, &source, &options, out)
                })
            }
        };
        self.write(target.extension(), write);
    }

    /// Writes a recording of the race, as far as it came, into the output folder.
    pub(super) fn keep(&mut self) {
        let Some(state) = &self.state else {
            self.notice = Some("there is no race to keep yet; r starts one".to_owned());
            return;
        };
        let plan = state.plan().clone();
        let Some(tape) = self.reel.whole().cloned() else { return self.lack_events() };
        let events = move |tape: &Tape, out: &mut dyn Write| {
            recording::write(&plan, tape.told().iter().map(|told| &told.event), out)
        };
        self.write(RECORDING, Box::new(move |out| events(&tape, out)));
    }

    fn lack_events(&mut self) {
        let words = "this race is too long for all its events to be kept; --record FILE keeps them";
        self.notice = Some(words.to_owned());
    }

    fn write(&mut self, extension: &'static str, write: Writing) {
        let stem = self.state.as_ref().map_or("race", |race| race.plan().scenario.as_str());
        let stem = file_name(stem);
        self.notice = Some(match self.exports.start(&self.next.output, &stem, extension, write) {
            Ok(()) => format!("writing {stem}.{extension}"),
            Err(error) => format!("nothing is written, for there is no thread for it: {error}"),
        });
    }

    /// Says where the files are that have been written.
    pub(super) fn hear_exports(&mut self) {
        while let Some(told) = self.exports.next() {
            let part = match &self.state {
                Some(race) if !race.is_over() => ": the race as far as it has come",
                _ => "",
            };
            self.notice = Some(match told {
                Ok(path) => format!("wrote {}{part}", path.display()),
                Err(why_not) => why_not,
            });
            self.dirty = true;
        }
    }
}
