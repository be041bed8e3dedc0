//! A post as the API tells it, and what it must be.

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use crate::chance::mix;
use crate::event::TaskId;
use crate::text;

/// Columns of a result's words.
const RESULT_COLUMNS: usize = 80;

/// A post that a server sent: foreign text. What else is in it is nobody's business.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Post {
    pub(super) id: u64,
    title: String,
    body: String,
}

/// A post that a task sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Draft {
    pub(super) title: String,
    body: String,
}

impl Draft {
    /// What a task creates, what it puts in its place, and what is left when that gets another title.
    pub(super) fn three(seed: u64, task: TaskId) -> [Draft; 3] {
        let number = u64::from(task.0) + 1;
        let mark = mix(seed ^ number << 32);
        let draft = |title: String, body: String| Draft { title, body };
        let second = format!("Put in its place by task {number}, mark {:016x}.", mix(mark));
        [
            draft(format!("The post of task {number}"), format!("Made by task {number}, mark {mark:016x}.")),
            draft(format!("Another post of task {number}"), second.clone()),
            draft(format!("Another title by task {number}"), second),
        ]
    }
}

impl Post {
    /// The post in an answer's body.
    ///
    /// # Errors
    /// In words, when there is none.
    pub(super) fn read(body: &[u8]) -> Result<Post, String> {
        // A list of the fields' values would be taken for a post, too.
        let list = body.trim_ascii_start().first() == Some(&b'[');
        let post: Post = serde_json::from_slice(body).map_err(|error| match error.classify() {
            Category::Data => format!("the answer is not a post: {error}"),
            _ => format!("the answer is not JSON: {error}"),
        })?;
        if list {
            return Err("the answer is not a post: it is a list".to_owned());
        }
        for (name, text) in [("title", &post.title), ("body", &post.body)] {
            if text.trim().is_empty() {
                return Err(format!("the {name} of post {} is empty", post.id));
            }
        }
        Ok(post)
    }

    /// # Errors
    /// In words, when it is another post than the one with `id`.
    pub(super) fn check_id(&self, id: u64) -> Result<(), String> {
        if self.id == id { Ok(()) } else { Err(format!("post {id} was asked for, and {} came", self.id)) }
    }

    /// # Errors
    /// In words, when it is not `draft` under `id`.
    pub(super) fn check(&self, id: u64, draft: &Draft) -> Result<(), String> {
        self.check_id(id)?;
        for (name, found, sent) in [("title", &self.title, &draft.title), ("body", &self.body, &draft.body)] {
            if found != sent {
                let found = text::fit(found, RESULT_COLUMNS);
                return Err(format!("the {name} of post {id} must be “{sent}”, and is “{found}”"));
            }
        }
        Ok(())
    }

    /// The post in a few words that are safe to show, with what became of it.
    pub(super) fn describe(&self, fate: &str) -> String {
        let start = format!("post {}: ", self.id);
        let room = RESULT_COLUMNS.saturating_sub(start.len() + 2 + fate.len());
        format!("{start}\"{}\"{fate}", text::fit(&self.title, room))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_post_is_read_whatever_else_it_has() {
        let post = Post::read(br#"{"id":3,"userId":1,"more":[{}],"title":"A","body":"b"}"#);
        let expected = Post { id: 3, title: "A".to_owned(), body: "b".to_owned() };
        assert_eq!(post, Ok(expected.clone()));
        assert_eq!(expected.describe(""), "post 3: \"A\"");
        assert_eq!(expected.check_id(3), Ok(()));
        assert_eq!(expected.check_id(4), Err("post 4 was asked for, and 3 came".to_owned()));
    }

    #[test]
    fn what_is_no_post_is_named() {
        for (body, words) in [
            ("", "not JSON"),
            ("<html>", "not JSON"),
            (r#"{"id":3,"title":"A","body":"b"} and more"#, "not JSON"),
            ("null", "not a post"),
            ("{}", "not a post: missing field `id`"),
            (r#"[3,"A","b"]"#, "it is a list"),
            (r#"{"id":"3","title":"A","body":"b"}"#, "not a post"),
            (r#"{"id":3,"title":7,"body":"b"}"#, "not a post"),
            (r#"{"id":3,"title":"A"}"#, "missing field `body`"),
            (r#"{"id":3,"title":" ","body":"b"}"#, "the title of post 3 is empty"),
        ] {
            let read = Post::read(body.as_bytes());
            assert!(read.as_ref().is_err_and(|said| said.contains(words)), "{body}: {read:?}");
        }
    }

    #[test]
    fn what_was_sent_must_come_back() {
        let [first, second, third] = Draft::three(1, TaskId(6));
        let post = |draft: &Draft| Post { id: 9, title: draft.title.clone(), body: draft.body.clone() };
        for draft in [&first, &second, &third] {
            assert_eq!(post(draft).check(9, draft), Ok(()));
            assert!(post(draft).check(8, draft).is_err());
        }
        assert!(post(&first).check(9, &second).is_err_and(|words| words.contains("title")));
        assert!(post(&third).check(9, &second).is_err_and(|words| words.contains("title")));
        assert_eq!(second.body, third.body);
        assert_ne!(Draft::three(2, TaskId(6))[0].body, first.body);
        assert_ne!(Draft::three(1, TaskId(7))[0].body, first.body);
    }

    proptest! {
        #[test]
        fn any_title_is_told_in_few_safe_columns(id: u64, title in ".{0,200}") {
            let post = Post { id, title, body: String::new() };
            for fate in ["", ", created, changed and deleted"] {
                let told = post.describe(fate);
                prop_assert!(text::width(&told) <= RESULT_COLUMNS, "{}", told);
                prop_assert!(!told.contains(text::is_unsafe));
                prop_assert!(told.ends_with(fate));
            }
        }

        #[test]
        fn no_answer_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Post::read(&body);
        }
    }
}
