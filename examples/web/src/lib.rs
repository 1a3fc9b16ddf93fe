//! Notes over HTTP, stored in SQLite and sent to WebSocket listeners.

use std::path::Path;
use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path as Segment, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::broadcast;

/// The number of notes that a slow listener may lag behind.
const LAG: usize = 1024;

/// A note, as sent by the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub id: i64,
    pub text: String,
}

/// The request for a new note.
#[derive(Debug, Serialize, Deserialize)]
pub struct NewNote {
    pub text: String,
}

struct Notes {
    pool: SqlitePool,
    added: broadcast::Sender<Note>,
}

/// Opens the database, and creates it if necessary.
pub async fn open(database: &Path) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        .execute(&pool)
        .await?;
    Ok(pool)
}

/// Returns the service for a database.
pub fn service(pool: SqlitePool) -> Router {
    let (added, _) = broadcast::channel(LAG);
    Router::new()
        .route("/notes", get(list).post(add))
        .route("/notes/{id}", get(one))
        .route("/added", any(listen))
        .with_state(Arc::new(Notes { pool, added }))
}

async fn list(State(notes): State<Arc<Notes>>) -> Result<Json<Vec<Note>>, Failed> {
    let rows = sqlx::query_as::<_, (i64, String)>("SELECT id, text FROM note ORDER BY id");
    let rows = rows.fetch_all(&notes.pool).await?;
    let notes = rows.into_iter().map(|(id, text)| Note { id, text });
    Ok(Json(notes.collect()))
}

async fn one(
    State(notes): State<Arc<Notes>>,
    Segment(id): Segment<i64>,
) -> Result<Json<Note>, Failed> {
    let row = sqlx::query_as::<_, (i64, String)>("SELECT id, text FROM note WHERE id = ?");
    let (id, text) = row.bind(id).fetch_one(&notes.pool).await?;
    Ok(Json(Note { id, text }))
}

async fn add(
    State(notes): State<Arc<Notes>>,
    Json(NewNote { text }): Json<NewNote>,
) -> Result<(StatusCode, Json<Note>), Failed> {
    let insert = sqlx::query("INSERT INTO note (text) VALUES (?)").bind(&text);
    let id = insert.execute(&notes.pool).await?.last_insert_rowid();
    let note = Note { id, text };
    // Fails if there is no listener, which is not an error.
    let _ = notes.added.send(note.clone());
    Ok((StatusCode::CREATED, Json(note)))
}

async fn listen(State(notes): State<Arc<Notes>>, upgrade: WebSocketUpgrade) -> Response {
    let added = notes.added.subscribe();
    upgrade.on_upgrade(|socket| tell(socket, added))
}

async fn tell(mut socket: WebSocket, mut added: broadcast::Receiver<Note>) {
    loop {
        tokio::select! {
            note = added.recv() => {
                let Ok(note) = note else { return };
                if socket.send(Message::text(note.text)).await.is_err() {
                    return;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

/// A failed query.
struct Failed(sqlx::Error);

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match self.0 {
            sqlx::Error::RowNotFound => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.0.to_string()).into_response()
    }
}
