//! A certificate that is replaced while everybody calls.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use seva_api::pb::operations::v1::GetStatusRequest;
use seva_domain::service::Service;
use seva_host::tls::authority::Authority;
use seva_stories::{House, as_actor, say};
use seva_support::eventually;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use tonic::transport::{Certificate, Endpoint};

use crate::{PATIENCE, number};

/// The certificate that a service shows to a new caller who trusts this authority.
async fn shown(house: &House, ca: &Path) -> CertificateDer<'static> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let url = house.url(Service::Intake);
    let stream = TcpStream::connect(url.strip_prefix("https://").unwrap()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    session.peer_certificates().unwrap()[0].clone().into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_taken_under_load_and_no_call_fails() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new().unwrap();
    let (ca, files) = (authority.write(folder.path()).unwrap(), authority.issue(folder.path()).unwrap());
    let house = House::under_tls(files.clone(), Certificate::from_pem(fs::read(&ca).unwrap())).await;
    let first = shown(&house, &ca).await;

    let is_over = &AtomicBool::new(false);
    let calls = &AtomicU64::new(0);
    let (house, ca) = (&house, &ca);
    // Some keep their connection, others make a new one again and again.
    let load = (0..6).map(|caller| async move {
        let mut intake = house.intake();
        let mut n = 0;
        while !is_over.load(Ordering::Relaxed) {
            if caller % 2 == 0 && n % 4 == 0 {
                intake = house.intake();
            }
            let said = say::interaction(&format!("{caller}-{n}"), &format!("A-{caller}"), "Hello?");
            intake.log_interaction(as_actor("agent:tls", said)).await.unwrap();
            calls.fetch_add(1, Ordering::Relaxed);
            n += 1;
        }
    });
    let rotating = async {
        let in_use = |wanted: &'static str, before: CertificateDer<'static>| {
            eventually(wanted, PATIENCE, move || {
                let before = before.clone();
                async move { Some(shown(house, ca).await).filter(|now| *now != before) }
            })
        };
        authority.issue(folder.path()).unwrap();
        let second = in_use("the second certificate is shown", first.clone()).await;

        // Half written, and then of another pair: what was in use stays.
        let whole = fs::read(&files.certificate).unwrap();
        let other = tempfile::tempdir().unwrap();
        let foreign = fs::read(authority.issue(other.path()).unwrap().certificate).unwrap();
        for broken in [&whole[..whole.len() / 2], &foreign] {
            let before = number(house, "seva_tls_certificates_refused_total").await;
            fs::write(&files.certificate, broken).unwrap();
            eventually("the broken file was looked at", PATIENCE, async || {
                (number(house, "seva_tls_certificates_refused_total").await > before).then_some(())
            })
            .await;
            assert_eq!(shown(house, ca).await, second);
        }

        authority.issue(folder.path()).unwrap();
        let third = in_use("the third certificate is shown", second).await;
        assert_ne!(third, first);
        let answered = calls.load(Ordering::Relaxed);
        eventually("calls are answered under the third", PATIENCE, async || {
            (calls.load(Ordering::Relaxed) > answered + 50).then_some(())
        })
        .await;
        is_over.store(true, Ordering::Relaxed);
    };
    futures::join!(rotating, futures::future::join_all(load));
    assert!(calls.load(Ordering::Relaxed) > 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_trusts_somebody_else_or_speaks_in_the_clear_gets_no_answer_and_the_server_stays_well() {
    let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let authority = Authority::new().unwrap();
    let (ca, files) = (authority.write(folder.path()).unwrap(), authority.issue(folder.path()).unwrap());
    let house = House::under_tls(files, Certificate::from_pem(fs::read(&ca).unwrap())).await;
    let status = || as_actor("operator", GetStatusRequest {});

    let stranger = Authority::new().unwrap().write(other.path()).unwrap();
    let stranger = Certificate::from_pem(fs::read(&stranger).unwrap());
    let tls = tonic::transport::ClientTlsConfig::new().ca_certificate(stranger);
    let url = house.url(Service::Intake);
    let endpoint = Endpoint::from_shared(url.clone()).unwrap().tls_config(tls).unwrap();
    assert!(endpoint.connect().await.is_err(), "a certificate that nobody vouches for");

    let plain = Endpoint::from_shared(url.replace("https", "http")).unwrap().connect_lazy();
    let mut plain =
        seva_api::pb::operations::v1::operations_service_client::OperationsServiceClient::new(plain);
    plain.get_status(status()).await.unwrap_err();
    eventually("both are counted", PATIENCE, async || {
        (number(&house, "seva_tls_handshakes_failed_total").await >= 2).then_some(())
    })
    .await;
    let answer = house.operations(Service::Intake).get_status(status()).await.unwrap().into_inner();
    assert_eq!(answer.state, "SERVING");
    house.stop().await;
}
