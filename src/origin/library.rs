//! What the origin serves: the tasks, their paths and their bodies, made before any clock starts.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use bytes::{BufMut, Bytes, BytesMut};

use super::Content;
use super::payload::{Payload, Piece};
use super::posts::Posts;
use super::{landscape, prose};
use crate::chance::{Rng, mix};

/// However many tasks there are, no more than this many bodies are made: task i gets body i modulo this.
const MOST_BODIES: usize = 64;

/// Large bodies are fewer, so that all together stay about below this.
const MOST_MEMORY: u64 = 256 * 1024 * 1024;

/// The block that bytes without a meaning are taken from.
const BLOCK: usize = 1024 * 1024;

/// Larger bodies of bytes have no digest.
const LARGEST_DIGESTED: u64 = 1024 * 1024;

/// The JPEG quality of pictures.
const QUALITY: u8 = 90;

/// How many paths the index lists.
const LISTED: usize = 32;

const JPEG: &str = "image/jpeg";

/// One task of a race against the origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginTask {
    /// The name of the file that it writes, such as `picture-01.jpg`; unique within the library.
    pub name: String,
    /// What it asks the origin for, such as `/pictures/01.jpg`.
    pub path: String,
    /// Whether the task itself must panic, to show that the others survive it.
    pub panics: bool,
}

/// What happens to a request for a task's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It gets its body.
    Fine,
    /// It gets its body, and the task panics over it.
    Panic,
    /// It gets 404.
    Missing,
    /// The first attempt gets 503 and is asked to come back in a second.
    Busy,
    /// The connection closes halfway through the body.
    Truncated,
    /// It is redirected to where it came from.
    Loop,
}

/// The fates of the tasks of [`Content::Faults`], over and over.
const FATES: [Fate; 8] =
    [Fate::Fine, Fate::Missing, Fate::Busy, Fate::Fine, Fate::Truncated, Fate::Loop, Fate::Fine, Fate::Panic];

/// Everything that the origin serves.
#[derive(Debug, Clone)]
pub struct Library {
    content: Content,
    seed: u64,
    tasks: usize,
    pieces: Vec<Piece>,
    index: Piece,
}

impl Library {
    /// Makes the bodies for `tasks` tasks; the same seed gives the same bytes. After each body, `drawn` is
    /// told how many of how many are made; when it breaks, there is no library.
    ///
    /// At most 64 bodies are made, fewer when they are large: tasks beyond that share them.
    pub fn make(
        content: &Content,
        seed: u64,
        tasks: usize,
        drawn: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Option<Library> {
        let bodies = bodies(content, tasks);
        let block = match content {
            Content::Bytes { .. } => block(seed),
            _ => Bytes::new(),
        };
        let pieces = make_all(bodies, drawn, |index| piece(content, seed, index, &block))?;
        let mut library =
            Library { content: content.clone(), seed, tasks, pieces, index: text(String::new()) };
        library.index = text(library.list());
        Some(library)
    }

    /// The tasks, in id order.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = OriginTask> + '_ {
        (0..self.tasks).map(|task| OriginTask {
            name: self.name(task),
            path: self.path(task),
            panics: self.fate(task) == Fate::Panic,
        })
    }

    /// The task that `path` belongs to, and what happens to a request for it.
    pub(super) fn find(&self, path: &str) -> Option<(usize, Fate)> {
        let stem = path.rsplit('/').next()?.split('.').next()?;
        let task = stem.parse::<usize>().ok()?.checked_sub(1).filter(|&task| task < self.tasks)?;
        (self.path(task) == path).then(|| (task, self.fate(task)))
    }

    /// The body of a task.
    pub(super) fn piece(&self, task: usize) -> Option<Piece> {
        match self.content {
            Content::Posts => Some(post(self.seed, task)),
            _ => self.pieces.get(task % self.pieces.len().max(1)).cloned(),
        }
    }

    /// The posts, where they are what is served.
    pub(super) fn posts(&self) -> Option<Posts> {
        (self.content == Content::Posts).then(|| Posts::new(self.seed, self.tasks))
    }

    /// The text at `/`.
    pub(super) fn index(&self) -> &Piece {
        &self.index
    }

    fn fate(&self, task: usize) -> Fate {
        match self.content {
            Content::Faults { .. } => FATES[task % FATES.len()],
            _ => Fate::Fine,
        }
    }

    /// The task's number, with zeros in front so that names sort.
    fn number(&self, task: usize) -> String {
        format!("{:0width$}", task + 1, width = self.tasks.to_string().len())
    }

    fn path(&self, task: usize) -> String {
        let number = self.number(task);
        match (&self.content, self.fate(task)) {
            (_, Fate::Missing) => format!("/faults/missing/{number}"),
            (_, Fate::Busy) => format!("/faults/busy/{number}"),
            (_, Fate::Truncated) => format!("/faults/truncated/{number}"),
            (_, Fate::Loop) => format!("/faults/loop/{number}"),
            (Content::Pictures { .. } | Content::Faults { .. }, _) => format!("/pictures/{number}.jpg"),
            (Content::Posts, _) => format!("/posts/{}", task + 1),
            (Content::Csv { .. }, _) => format!("/csv/{number}.csv"),
            (Content::Bytes { .. }, _) => format!("/bytes/{number}.bin"),
        }
    }

    fn name(&self, task: usize) -> String {
        let number = self.number(task);
        match (&self.content, self.fate(task)) {
            (_, Fate::Missing) => format!("missing-{number}.jpg"),
            (_, Fate::Busy) => format!("busy-{number}.jpg"),
            (_, Fate::Truncated) => format!("truncated-{number}.jpg"),
            (_, Fate::Loop) => format!("loop-{number}.jpg"),
            (_, Fate::Panic) => format!("panic-{number}.jpg"),
            (Content::Pictures { .. } | Content::Faults { .. }, Fate::Fine) => {
                format!("picture-{number}.jpg")
            }
            (Content::Posts, Fate::Fine) => format!("post-{number}.json"),
            (Content::Csv { .. }, Fate::Fine) => format!("readings-{number}.csv"),
            (Content::Bytes { .. }, Fate::Fine) => format!("bytes-{number}.bin"),
        }
    }

    fn list(&self) -> String {
        let mut list = format!("threadrace's origin serves {} paths:\n\n", self.tasks);
        for task in 0..self.tasks.min(LISTED) {
            list.push_str(&self.path(task));
            list.push('\n');
        }
        if self.tasks > LISTED {
            list.push_str(&format!("… up to {}\n", self.path(self.tasks - 1)));
        }
        list
    }
}

fn text(text: String) -> Piece {
    Piece::digested(Payload::whole(text.into()), "text/plain; charset=utf-8")
}

/// How many bodies to make beforehand.
fn bodies(content: &Content, tasks: usize) -> usize {
    let one = match *content {
        // A post is made in a microsecond when it is asked for, so that each has its own id.
        Content::Posts => return 0,
        Content::Bytes { .. } => 0,
        Content::Csv { rows } => u64::from(rows) * prose::ROW_BYTES,
        Content::Pictures { width, height } | Content::Faults { width, height } => {
            u64::from(width) * u64::from(height) / 3
        }
    };
    let fit = usize::try_from(MOST_MEMORY / one.max(1)).unwrap_or(usize::MAX).max(1);
    tasks.min(MOST_BODIES).min(fit)
}

fn piece(content: &Content, seed: u64, index: usize, block: &Bytes) -> Piece {
    match *content {
        Content::Pictures { width, height } | Content::Faults { width, height } => {
            Piece::digested(Payload::whole(picture(seed, index, width, height)), JPEG)
        }
        Content::Posts => post(seed, index),
        Content::Csv { rows } => Piece::digested(
            Payload::whole(prose::readings(seed, index, rows).into()),
            "text/csv; charset=utf-8",
        ),
        Content::Bytes { size } => {
            let payload = Payload::round(block.clone(), index * (BLOCK / MOST_BODIES), size);
            let media_type = "application/octet-stream";
            if size <= LARGEST_DIGESTED {
                Piece::digested(payload, media_type)
            } else {
                Piece::undigested(payload, media_type, mix(mix(seed) ^ size ^ (index as u64) << 48))
            }
        }
    }
}

fn post(seed: u64, task: usize) -> Piece {
    Piece::digested(Payload::whole(prose::post(seed, task).json().into()), "application/json")
}

/// A landscape as a JPEG. Sides are brought to between 1 and 65535 pixels, which is what a JPEG can be.
fn picture(seed: u64, index: usize, width: u32, height: u32) -> Bytes {
    let (width, height) = (width.clamp(1, 65_535), height.clamp(1, 65_535));
    let pixels = landscape::draw(seed, index, width as usize, height as usize);
    let mut jpeg = Vec::with_capacity(pixels.len() / 8);
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    let encoded = encoder.encode(&pixels, width, height, image::ExtendedColorType::Rgb8);
    debug_assert!(encoded.is_ok(), "a picture of legal size fits into memory: {encoded:?}");
    jpeg.into()
}

/// [`BLOCK`] pseudo-random bytes, which no compression makes smaller.
fn block(seed: u64) -> Bytes {
    let mut rng = Rng::new(seed, 0);
    let mut block = BytesMut::with_capacity(BLOCK);
    while block.len() < BLOCK {
        block.put_u64_le(rng.bits());
    }
    block.freeze()
}

/// Makes `count` things in order, on this thread and one more; `told` hears of each.
fn make_all<T: Send>(
    count: usize,
    told: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    make: impl Fn(usize) -> T + Sync,
) -> Option<Vec<T>> {
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let take = || {
        let index = next.fetch_add(1, Ordering::Relaxed);
        (index < count && !stopped.load(Ordering::Relaxed)).then(|| (index, make(index)))
    };
    let mut made: Vec<(usize, T)> = Vec::with_capacity(count);
    let (sender, receiver) = mpsc::channel();
    let finished = std::thread::scope(|scope| {
        let take = &take;
        let helper = move || {
            while let Some(one) = take() {
                if sender.send(one).is_err() {
                    break;
                }
            }
        };
        // Without a second thread, this one makes everything.
        let _ = std::thread::Builder::new().name("origin-content".to_owned()).spawn_scoped(scope, helper);
        let mut keep = |one: (usize, T)| {
            made.push(one);
            let flow = told(made.len(), count);
            stopped.fetch_or(flow.is_break(), Ordering::Relaxed);
            flow
        };
        while let Some(one) = take() {
            keep(one)?;
            receiver.try_iter().try_for_each(&mut keep)?;
        }
        receiver.iter().try_for_each(&mut keep)
    });
    if finished.is_break() {
        return None;
    }
    made.sort_unstable_by_key(|(index, _)| *index);
    Some(made.into_iter().map(|(_, thing)| thing).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a library that nobody stops is made")]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const KINDS: [Content; 5] = [
        Content::Pictures { width: 64, height: 40 },
        Content::Posts,
        Content::Csv { rows: 5 },
        Content::Bytes { size: 3000 },
        Content::Faults { width: 64, height: 40 },
    ];

    fn library(content: &Content, seed: u64, tasks: usize) -> Library {
        Library::make(content, seed, tasks, &mut |_, _| ControlFlow::Continue(())).unwrap()
    }

    fn bytes(library: &Library, task: usize) -> Vec<u8> {
        library.piece(task).unwrap().payload.slice(0, usize::MAX).to_vec()
    }

    #[test]
    fn every_picture_can_be_decoded() {
        let library = library(&KINDS[0], 1, 30);
        for task in 0..30 {
            let jpeg = bytes(&library, task);
            let picture = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).unwrap();
            assert_eq!((picture.width(), picture.height()), (64, 40));
        }
    }

    #[test]
    fn a_seed_gives_the_same_bytes_and_another_gives_others() {
        for content in &KINDS {
            let (one, again, other) =
                (library(content, 1, 12), library(content, 1, 12), library(content, 2, 12));
            for task in 0..12 {
                assert_eq!(bytes(&one, task), bytes(&again, task), "{content:?}");
                assert_ne!(bytes(&one, task), bytes(&other, task), "{content:?}");
                assert!((0..task).all(|before| bytes(&one, before) != bytes(&one, task)), "{content:?}");
            }
        }
    }

    #[test]
    fn every_path_leads_to_its_task_and_names_differ() {
        for content in &KINDS {
            let library = library(content, 1, 120);
            let tasks: Vec<OriginTask> = library.tasks().collect();
            let names: HashSet<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
            assert_eq!(names.len(), 120, "{content:?}");
            for (index, task) in tasks.iter().enumerate() {
                assert_eq!(library.find(&task.path).map(|(found, _)| found), Some(index), "{task:?}");
            }
        }
    }

    #[test]
    fn names_and_paths_tell_what_they_are() {
        let first = |content: &Content, tasks| library(content, 1, tasks).tasks().next().unwrap();
        let pair = |task: OriginTask| (task.name, task.path);
        let expect = |name: &str, path: &str| (name.to_owned(), path.to_owned());
        assert_eq!(pair(first(&KINDS[0], 20)), expect("picture-01.jpg", "/pictures/01.jpg"));
        assert_eq!(pair(first(&KINDS[1], 5)), expect("post-1.json", "/posts/1"));
        assert_eq!(pair(first(&KINDS[2], 5)), expect("readings-1.csv", "/csv/1.csv"));
        assert_eq!(pair(first(&KINDS[3], 1000)), expect("bytes-0001.bin", "/bytes/0001.bin"));
        let faults: Vec<String> = library(&KINDS[4], 1, 16).tasks().take(8).map(|task| task.name).collect();
        let expected = [
            "picture-01.jpg",
            "missing-02.jpg",
            "busy-03.jpg",
            "picture-04.jpg",
            "truncated-05.jpg",
            "loop-06.jpg",
            "picture-07.jpg",
            "panic-08.jpg",
        ];
        assert_eq!(faults, expected);
        let panics: Vec<usize> = library(&KINDS[4], 1, 16)
            .tasks()
            .enumerate()
            .filter(|(_, task)| task.panics)
            .map(|(i, _)| i)
            .collect();
        assert_eq!(panics, [7, 15]);
    }

    #[test]
    fn paths_that_are_nearly_right_lead_nowhere() {
        let library = library(&KINDS[0], 1, 20);
        for path in [
            "/pictures/1.jpg",
            "/pictures/00.jpg",
            "/pictures/21.jpg",
            "/pictures/01.png",
            "/pictures/01",
            "/pictures/01.jpg/",
            "/pictures/+1.jpg",
            "/pictures/99999999999999999999.jpg",
            "//pictures/01.jpg",
            "/posts/1",
            "",
        ] {
            assert_eq!(library.find(path), None, "{path}");
        }
    }

    #[test]
    fn many_tasks_share_few_bodies() {
        for content in [Content::Bytes { size: 1 << 40 }, Content::Bytes { size: 0 }, KINDS[0].clone()] {
            let library = library(&content, 1, 100_000);
            assert_eq!(library.pieces.len(), MOST_BODIES);
            assert_eq!(library.tasks().len(), 100_000);
            assert_eq!(
                library.piece(99_999).unwrap().etag,
                library.piece(99_999 % MOST_BODIES).unwrap().etag
            );
        }
        let large = Content::Pictures { width: 4096, height: 4096 };
        let much = Content::Csv { rows: 1_000_000 };
        assert_eq!((bodies(&large, 1000), bodies(&much, 1000), bodies(&much, 2)), (48, 6, 2));
    }

    #[test]
    fn a_long_csv_takes_about_the_memory_that_is_reckoned_with() {
        let row = (bytes(&library(&Content::Csv { rows: 3000 }, 1, 1), 0).len() / 3000) as u64;
        assert!((prose::ROW_BYTES - 8..=prose::ROW_BYTES + 8).contains(&row), "{row}");
    }

    #[test]
    fn progress_is_told_and_may_break() {
        let mut told = Vec::new();
        let made = Library::make(&KINDS[0], 1, 6, &mut |done, of| {
            told.push((done, of));
            ControlFlow::Continue(())
        });
        assert!(made.is_some());
        assert_eq!(told, (1..=6).map(|done| (done, 6)).collect::<Vec<_>>());
        for last in 1..=6 {
            let stopped = Library::make(&KINDS[0], 1, 6, &mut |done, _| {
                assert!(done <= last, "nothing is told after the break");
                if done == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(stopped.is_none());
        }
    }

    #[test]
    fn no_tasks_make_an_empty_library() {
        for content in &KINDS {
            let library = library(content, 1, 0);
            assert_eq!((library.tasks().len(), library.find("/pictures/0.jpg")), (0, None));
        }
    }

    #[test]
    fn the_index_lists_the_first_paths_and_the_last() {
        let library = library(&Content::Bytes { size: 1 }, 1, 1000);
        let text = String::from_utf8(library.index().payload.slice(0, usize::MAX).to_vec()).unwrap();
        assert!(
            text.contains("1000 paths") && text.contains("/bytes/0032.bin\n… up to /bytes/1000.bin\n"),
            "{text}"
        );
    }
}
