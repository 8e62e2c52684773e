//! The log of the whole process, kept in memory.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

/// The log of this process, kept to be searched.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Captures everything from the first call on, whoever logs it.
    pub fn capture() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let captured = LOG.get_or_init(|| {
            let log = Self::default();
            let writer = Mutex::new(log.clone());
            let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer);
            subscriber.with_max_level(tracing_subscriber::filter::LevelFilter::TRACE).init();
            log
        });
        captured.clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
