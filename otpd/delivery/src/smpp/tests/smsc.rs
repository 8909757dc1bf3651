//! An SMSC that plays a script.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

use crate::smpp::{Settings, Smpp, pdu::command};

pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// The SMSC's end of a connection.
pub(super) struct Peer {
    pub(super) wire: Box<dyn Wire>,
    /// Which connection this is, from 0 on.
    pub(super) turn: usize,
    /// For the test to see.
    pub(super) told: UnboundedSender<Heard>,
}

#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) command: u32,
    pub(super) status: u32,
    pub(super) sequence: u32,
    pub(super) body: Vec<u8>,
}

impl Peer {
    pub(super) async fn hear(&mut self) -> Option<Heard> {
        let mut header = [0; 16];
        self.wire.read_exact(&mut header).await.ok()?;
        let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
        let mut body = vec![0; word(0) as usize - 16];
        self.wire.read_exact(&mut body).await.ok()?;
        let heard = Heard { command: word(4), status: word(8), sequence: word(12), body };
        let _ = self.told.send(heard.clone());
        Some(heard)
    }

    pub(super) async fn say(&mut self, command: u32, status: u32, sequence: u32, body: &[u8]) {
        let length = 16 + u32::try_from(body.len()).unwrap();
        let mut pdu = [length, command, status, sequence].map(u32::to_be_bytes).concat();
        pdu.extend(body);
        self.raw(&pdu).await;
    }

    pub(super) async fn raw(&mut self, octets: &[u8]) {
        let _ = self.wire.write_all(octets).await;
        let _ = self.wire.flush().await;
    }

    pub(super) async fn answer(&mut self, heard: &Heard, status: u32, body: &[u8]) {
        self.say(heard.command | 0x8000_0000, status, heard.sequence, body).await;
    }

    /// Takes the bind.
    pub(super) async fn bound(&mut self) {
        let bind = self.hear().await.unwrap();
        self.answer(&bind, 0, b"smsc\0").await;
    }

    /// Takes the bind and the first submission.
    pub(super) async fn submitted(&mut self) -> Heard {
        self.bound().await;
        self.hear().await.unwrap()
    }

    /// Answers every submission with the status, and enquiries, until the end.
    pub(super) async fn serve(&mut self, status: u32) {
        while let Some(heard) = self.hear().await {
            match heard.command {
                command::SUBMIT_SM => self.answer(&heard, status, b"id-7\0").await,
                request if request < command::RESPONSE => self.answer(&heard, 0, b"").await,
                _ => {}
            }
        }
    }

    /// Keeps the connection and says nothing.
    pub(super) async fn hold(&mut self) {
        while self.hear().await.is_some() {}
    }
}

pub(super) type Play = Pin<Box<dyn Future<Output = ()> + Send>>;
pub(super) type Script = fn(Peer) -> Play;

/// A script for each connection.
macro_rules! script {
    ($peer:ident => $play:expr) => {
        (|mut $peer: Peer| Box::pin(async move { $play }) as Play) as Script
    };
}
pub(super) use script;

/// An SMSC, and the settings of a channel to it.
pub(super) struct Smsc {
    pub(super) settings: Settings,
    pub(super) heard: UnboundedReceiver<Heard>,
    pub(super) connections: Arc<AtomicUsize>,
    /// Ends the SMSC with the test.
    pub(super) tasks: JoinSet<()>,
}

impl Smsc {
    pub(super) async fn start(script: Script) -> Self {
        Self::with(script, None).await
    }

    pub(super) async fn with(script: Script, acceptor: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, heard) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut plays = JoinSet::new();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let turn = count.fetch_add(1, Ordering::Relaxed);
                let (told, acceptor) = (told.clone(), acceptor.clone());
                plays.spawn(async move {
                    let wire: Box<dyn Wire> = match acceptor {
                        None => Box::new(tcp),
                        Some(acceptor) => match acceptor.accept(tcp).await {
                            Ok(tls) => Box::new(tls),
                            Err(_) => return,
                        },
                    };
                    script(Peer { wire, turn, told }).await;
                });
            }
        });
        let settings = Settings {
            server: "127.0.0.1".to_owned(),
            port,
            system_id: "otpd".to_owned(),
            password: "secret08".into(),
            source_addr: "Example".to_owned(),
            response_timeout: Duration::from_secs(1),
            ..Settings::default()
        };
        Self { settings, heard, connections, tasks }
    }

    pub(super) fn channel(&self) -> Smpp {
        Smpp::new(self.settings.clone()).unwrap()
    }

    /// The next PDU of that command.
    pub(super) async fn hears(&mut self, command: u32) -> Heard {
        let find = async {
            loop {
                let heard = self.heard.recv().await.unwrap();
                if heard.command == command {
                    return heard;
                }
            }
        };
        timeout(Duration::from_secs(20), find).await.expect("the SMSC hears nothing")
    }
}
