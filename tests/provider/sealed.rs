//! What a provider of sealed payments (WeChat Pay v3) needs of the seam.

use crate::pine::{PRESET, Pine};
use crate::world::{World, reader};
use jiff::civil::Date;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tollgate::domain::carrier::Carrier;
use tollgate::domain::money::Fen;
use tollgate::domain::order::{MerchantId, OutTradeNo, TransactionId};
use tollgate::domain::reason::Reason;
use tollgate::provider::bill::{Bill, BillError, BillType};
use tollgate::provider::preset::{SealedForm, Sealing};
use tollgate::provider::{
    Account, AskBy, Asked, BoxFuture, CannotNotify, Envelope, Event, Evidence, Fingerprint, HostState, Notification,
    NotifiedClaim, Opened, OrderState, Payee, Payment, Preset, Provider, Query, ToNotify, Told, Unopened,
};

/// Pine Pay whose payments are sealed, and whose signatures age.
#[derive(Debug)]
struct Cone {
    pine: Arc<Pine>,
    aged: AtomicBool,
    silent: AtomicBool,
    /// What it says is in a body that stands in the clear.
    says: Option<&'static str>,
}

static SEALED: Preset = Preset {
    name: "cone",
    carrier: Carrier::Xml,
    begins: b'<',
    sealed: Some(Sealing::Field(SealedForm { field: "cipher", never_beside: &[], of_payments: true })),
    examine: PRESET.examine,
    unaddressed: PRESET.unaddressed,
    signed_at: None,
    order: PRESET.order,
    transaction: PRESET.transaction,
    amount: PRESET.amount,
    amount_unit: PRESET.amount_unit,
    vouched_for: &[],
    dialect: PRESET.dialect,
    accepted: PRESET.accepted,
};

impl Account for Cone {
    fn payee(&self) -> Payee {
        self.pine.payee()
    }
    fn fingerprint(&self) -> Fingerprint {
        self.pine.fingerprint()
    }
    fn provider(&self) -> &dyn Provider {
        self
    }
    fn open(&self, envelope: &Envelope<'_>) -> Result<Opened, Unopened> {
        if self.aged.load(Ordering::Relaxed) {
            return Err(Reason::NotificationBadlySigned.into());
        }
        let no = match self.says {
            Some(no) => no,
            None => envelope.fields.and_then(|fields| fields.get("cipher")).unwrap(),
        };
        let claim = NotifiedClaim {
            out_trade_no: OutTradeNo::parse(no).unwrap(),
            transaction_id: TransactionId::parse("P900").unwrap(),
            amount: Fen(990),
            currency: None,
        };
        Ok(Opened { event: Event::Payment, claim: Told::Sealed(claim) })
    }
    fn is_addressed_by(&self, _: &Envelope<'_>) -> bool {
        true
    }
    fn query<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Asked> {
        if self.silent.load(Ordering::Relaxed) {
            let state = OrderState::NotPaid(Reason::QueryFailed);
            return Box::pin(async { Asked { state, evidence: Evidence::default(), host: None, refused_for: None } });
        }
        assert!(matches!(query.ask, AskBy::OutTradeNo(_)));
        self.pine.query(query)
    }
    fn reads(&self, _: &Preset) -> bool {
        true
    }
    fn notify(&self, wanted: &ToNotify<'_>) -> Result<Notification, CannotNotify> {
        self.pine.notify(wanted)
    }
    fn bill(&self, day: Date, rows: BillType) -> BoxFuture<'_, Result<Box<dyn Bill>, BillError>> {
        self.pine.bill(day, rows)
    }
    fn sample_evidence(&self, payment: &Payment) -> Evidence {
        self.pine.sample_evidence(payment)
    }
}

impl Provider for Cone {
    fn name(&self) -> &'static str {
        "cone"
    }
    fn queries_per_second(&self) -> u32 {
        1000
    }
    fn queries_left(&self, _: &MerchantId) -> (u32, u32) {
        (1000, 1000)
    }
    fn hosts(&self) -> Vec<(Arc<str>, HostState)> {
        Vec::new()
    }
}

fn cone(says: Option<&'static str>) -> (Arc<Pine>, Arc<Cone>) {
    let pine = Arc::new(Pine::default());
    let cone = Cone { pine: Arc::clone(&pine), aged: AtomicBool::new(false), silent: AtomicBool::new(false), says };
    (pine, Arc::new(cone))
}

/// The account says what its signature covers: not what stands in the clear beside it.
#[tokio::test]
async fn a_sealed_claim_is_never_dropped_for_one_in_the_clear() {
    let (pine, cone) = cone(Some("F2"));
    let world = World::start_with(cone, Arc::clone(&pine), &PRESET, reader(&PRESET)).await;
    // F1 is paid by somebody; what the provider sealed is a claim about F2, which is not.
    pine.has("F1", "P900", 990, 7);
    pine.has("F2", "P901", 990, 3);
    let body = crate::pine::notice(1, "F1", "P900", 990);
    let answered = world.notifies(&body, "").await;
    assert_eq!(world.shop.got(), [""; 0], "forwarded by the claim in the clear: {answered:?}");
}

/// A sealed payment that was taken in, and could not be decided at once, is followed up although its signature aged, or its key was
/// replaced, meanwhile.
#[tokio::test]
async fn a_sealed_payment_is_followed_up_when_it_cannot_be_opened_again() {
    let (pine, cone) = cone(None);
    let world = World::start_with(Arc::<Cone>::clone(&cone), Arc::clone(&pine), &SEALED, reader(&SEALED)).await;
    cone.silent.store(true, Ordering::Relaxed);
    pine.has("G1", "P900", 990, 7);
    let body = "<xml><cipher>G1</cipher></xml>";
    let answered = world.notifies_as("text/xml", body, "").await;
    assert_eq!(answered.1, "{\"ack\":0}");
    cone.aged.store(true, Ordering::Relaxed);
    cone.silent.store(false, Ordering::Relaxed);
    let got = world.shop.gets(1).await;
    assert!(got[0].ends_with(body), "{}", got[0]);
    world.shutdown.begin();
}
