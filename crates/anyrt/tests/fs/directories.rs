//! Names, directories and metadata.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use anyrt::fs::{self, DirBuilder};
use tempfile::tempdir;

#[anyrt::test]
async fn whole_files_are_written_read_and_copied() -> io::Result<()> {
    let dir = tempdir()?;
    for len in [0, 1, 70_000, 5_000_001] {
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let bytes = super::pattern(len);
        fs::write(&from, &bytes).await?;
        assert!(fs::read(&from).await? == bytes);
        assert_eq!(fs::copy(&from, &to).await?, len as u64);
        assert!(std::fs::read(&to)? == bytes);
    }
    let path = dir.path().join("text");
    fs::write(&path, "text").await?;
    assert_eq!(fs::read_to_string(&path).await?, "text");
    fs::write(&path, [0xFF]).await?;
    let binary = fs::read_to_string(&path).await;
    assert_eq!(binary.map_err(|e| e.kind()), Err(ErrorKind::InvalidData));
    let missing = fs::read(dir.path().join("missing")).await;
    assert_eq!(missing.map_err(|e| e.kind()), Err(ErrorKind::NotFound));
    let directory = fs::read(dir.path()).await;
    assert_eq!(
        directory.map_err(|e| e.kind()),
        Err(ErrorKind::IsADirectory)
    );
    let nowhere = fs::write(dir.path().join("no/where"), "x").await;
    assert_eq!(nowhere.map_err(|e| e.kind()), Err(ErrorKind::NotFound));
    Ok(())
}

#[anyrt::test]
async fn directories_are_made_and_removed() -> io::Result<()> {
    let dir = tempdir()?;
    let deep = dir.path().join("a/b/c");
    let shallow = fs::create_dir(&deep).await;
    assert_eq!(shallow.map_err(|e| e.kind()), Err(ErrorKind::NotFound));
    fs::create_dir_all(&deep).await?;
    fs::create_dir(deep.join("d")).await?;
    let full = fs::remove_dir(&deep).await;
    assert_eq!(
        full.map_err(|e| e.kind()),
        Err(ErrorKind::DirectoryNotEmpty)
    );
    fs::remove_dir(deep.join("d")).await?;
    fs::remove_dir_all(dir.path().join("a")).await?;
    assert!(!fs::try_exists(dir.path().join("a")).await?);

    let private = dir.path().join("p/q");
    let mut builder = DirBuilder::new();
    assert!(builder.create(&private).await.is_err());
    builder.recursive(true).mode(0o700);
    builder.create(&private).await?;
    builder.create(&private).await?;
    assert_eq!(
        fs::metadata(&private).await?.permissions().mode() & 0o777,
        0o700
    );
    Ok(())
}

#[anyrt::test]
async fn names_are_linked_and_moved() -> io::Result<()> {
    let dir = tempdir()?;
    let [file, hard, soft, moved] = ["file", "hard", "soft", "moved"].map(|n| dir.path().join(n));
    fs::write(&file, "contents").await?;
    fs::hard_link(&file, &hard).await?;
    fs::symlink(&file, &soft).await?;
    assert_eq!(fs::metadata(&hard).await?.nlink(), 2);
    assert_eq!(fs::read_link(&soft).await?, file);
    assert!(fs::symlink_metadata(&soft).await?.is_symlink());
    assert!(fs::metadata(&soft).await?.is_file());
    let real = fs::canonicalize(dir.path()).await?;
    assert_eq!(fs::canonicalize(&soft).await?, real.join("file"));
    fs::rename(&file, &moved).await?;
    assert!(!fs::try_exists(&soft).await?, "it leads nowhere now");
    fs::remove_file(&soft).await?;
    let mut permissions = fs::metadata(&moved).await?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&moved, permissions).await?;
    assert!(std::fs::metadata(&hard)?.permissions().readonly());
    Ok(())
}

#[anyrt::test]
async fn a_directory_gives_every_entry_once() -> io::Result<()> {
    let dir = tempdir()?;
    // More than are read at once.
    let names: BTreeSet<_> = (0..100).map(|number| format!("file {number}")).collect();
    for name in &names {
        std::fs::write(dir.path().join(name), name)?;
    }
    let mut entries = fs::read_dir(dir.path()).await?;
    let mut found = BTreeSet::new();
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name().into_string().expect("UTF-8");
        assert_eq!(entry.path(), dir.path().join(&name));
        assert!(entry.file_type().await?.is_file());
        let metadata = entry.metadata().await?;
        assert_eq!(metadata.len(), name.len() as u64);
        assert_eq!(metadata.ino(), entry.ino());
        assert!(found.insert(name), "twice");
    }
    assert_eq!(found, names);
    assert!(entries.next_entry().await?.is_none());
    let missing = fs::read_dir(dir.path().join("missing")).await.map(drop);
    assert_eq!(missing.map_err(|e| e.kind()), Err(ErrorKind::NotFound));
    Ok(())
}

#[anyrt::test]
async fn an_entry_that_a_dropped_future_would_have_had_goes_to_the_next() -> io::Result<()> {
    let dir = tempdir()?;
    for number in 0..70 {
        std::fs::write(dir.path().join(number.to_string()), "")?;
    }
    let mut entries = fs::read_dir(dir.path()).await?;
    let mut count = 0;
    loop {
        match super::poll_once(entries.next_entry()) {
            std::task::Poll::Ready(entry) => count += usize::from(entry?.is_some()),
            std::task::Poll::Pending => {}
        }
        match entries.next_entry().await? {
            Some(_) => count += 1,
            None => break,
        }
    }
    assert_eq!(count, 70);
    Ok(())
}
