//! The runs of the examples, and what people did to them.

use std::collections::BTreeMap;

use super::definitions::{CALCULATION, CUSTOMER, EXPENSE, FOR_GROUP, FOR_USER, INVOICE};
use super::flow::{text, value};
use crate::api::littlehorse as lh;
use crate::domain::Identity;
use lh::variable_value::Value::{Bool, Double, Int};

type Values = BTreeMap<String, lh::VariableValue>;

/// One run: how it starts, and what happens to whichever of its tasks is open at each step.
pub(super) struct Run {
    pub(super) start: lh::RunWfRequest,
    pub(super) steps: Vec<Step>,
}

/// What somebody does to the open task.
pub(super) enum Step {
    /// Claim, release, hand over.
    Assign { user_id: Option<String>, user_group: Option<String> },
    /// Keep what is filled in so far.
    Save { user_id: String, results: Values },
    /// Finish.
    Complete { user_id: String, results: Values },
    /// Say something.
    Comment { user_id: String, comment: String },
    /// Give up.
    Cancel,
}

fn values<const N: usize>(values: [(&str, lh::VariableValue); N]) -> Values {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn run<const N: usize>(workflow: &str, id: &str, variables: [(&str, lh::VariableValue); N]) -> Run {
    Run {
        start: lh::RunWfRequest {
            wf_spec_name: workflow.to_owned(),
            id: Some(id.to_owned()),
            variables: values(variables),
            ..Default::default()
        },
        steps: Vec::new(),
    }
}

impl Run {
    fn with(mut self, name: &str, of: &str) -> Self {
        self.start.variables.insert(name.to_owned(), text(of));
        self
    }

    /// Its first task is for this person from the start.
    fn for_user(self, user: &str) -> Self {
        self.with(FOR_USER, user)
    }

    /// Its first task is for another group than usual.
    fn for_group(self, group: &str) -> Self {
        self.with(FOR_GROUP, group)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn claimed(self, user: &str, group: &str) -> Self {
        self.step(Step::Assign { user_id: Some(user.to_owned()), user_group: Some(group.to_owned()) })
    }

    fn released(self, group: &str) -> Self {
        self.step(Step::Assign { user_id: None, user_group: Some(group.to_owned()) })
    }

    fn saved<const N: usize>(self, user: &str, results: [(&str, lh::VariableValue); N]) -> Self {
        self.step(Step::Save { user_id: user.to_owned(), results: values(results) })
    }

    fn completed<const N: usize>(self, user: &str, results: [(&str, lh::VariableValue); N]) -> Self {
        self.step(Step::Complete { user_id: user.to_owned(), results: values(results) })
    }

    fn commented(self, user: &str, comment: &str) -> Self {
        self.step(Step::Comment { user_id: user.to_owned(), comment: comment.to_owned() })
    }

    fn cancelled(self) -> Self {
        self.step(Step::Cancel)
    }
}

fn expense(id: &str, requester: &str, purpose: &str, amount: f64, currency: &str) -> Run {
    run(
        EXPENSE,
        id,
        [
            ("requester", text(requester)),
            ("purpose", text(purpose)),
            ("amount", value(Double(amount))),
            ("currency", text(currency)),
        ],
    )
}

fn customer(id: &str, name: &str, country: &str) -> Run {
    run(CUSTOMER, id, [("customer", text(name)), ("country", text(country))])
}

fn invoice(id: &str, scan: &str, pages: i64) -> Run {
    run(INVOICE, id, [("scan", text(scan)), ("pages", value(Int(pages)))])
}

fn calculation(id: &str, question: &str) -> Run {
    run(CALCULATION, id, [("question", text(question))])
}

/// Every run, oldest first.
pub(super) fn runs(me: &Identity) -> Vec<Run> {
    let (mine, [bob, carol, erin]) = (super::group(me), super::colleagues(me));
    let me = me.user.as_str();
    vec![
        calculation("tiles", "How many tiles of 30 x 60 cm for a room of 4.2 x 3.6 m").for_user(me).completed(
            me,
            [
                ("result", value(Double(84.0))),
                ("method", text("15.12 m2 / 0.18 m2, cut edges counted as whole tiles")),
                ("sure", value(Bool(true))),
            ],
        ),
        customer("cedar", "Cedar Ltd", "GB")
            .claimed(carol, mine)
            .commented(carol, "The register entry is from last week.")
            .completed(
                carol,
                [
                    ("identityChecked", value(Bool(true))),
                    ("documentNumber", text("HRB 20417")),
                    ("risk", value(Int(10))),
                ],
            ),
        customer("dune", "Dune Trading", "AE").claimed(carol, mine).completed(
            carol,
            [
                ("identityChecked", value(Bool(true))),
                ("documentNumber", text("TL-88 301")),
                ("risk", value(Int(80))),
                ("turnover", value(Double(2_400_000.0))),
                ("remarks", text("Owned by a company of which the register shows nothing.")),
            ],
        ),
        expense("desk", me, "Standing desk", 649.9, "EUR")
            .claimed(bob, mine)
            .commented(bob, "There are two free ones on the third floor.")
            .completed(bob, [("approved", value(Bool(false))), ("comment", text("Take one from the third floor."))]),
        expense("ticket", erin, "Conference ticket", 899.0, "EUR").claimed(carol, mine).completed(
            carol,
            [
                ("approved", value(Bool(true))),
                ("amount", value(Double(799.0))),
                ("costCentre", value(Int(4711))),
                ("comment", text("The early price still holds.")),
            ],
        ),
        invoice("scan-416", "00416", 1).claimed(bob, mine).commented(bob, "A second scan of 00415.").cancelled(),
        invoice("scan-417", "00417", 2)
            .claimed(bob, mine)
            .saved(bob, [("supplier", text("Northern Paper")), ("invoiceNumber", text("2026-1109"))]),
        customer("birch", "Birch & Sons", "SE").for_user(me).commented(carol, "They want to order on Friday."),
        expense("train", bob, "Train to Bern", 86.4, "CHF").commented(bob, "The receipt is in the mail."),
        expense("dinner", carol, "Team dinner", 312.75, "EUR")
            .claimed(carol, mine)
            .saved(carol, [("amount", value(Double(280.0))), ("comment", text("Without the drinks, I think."))])
            .commented(carol, "It is my own dinner; somebody else has to decide.")
            .released(mine),
        customer("acme", "ACME GmbH", "DE"),
        invoice("scan-418", "00418", 1),
        calculation("days", "Working days between 1 March and 15 April, without the holidays").for_user(me),
        expense("laptop", erin, "Laptop", 1240.5, "EUR").for_user(me),
        expense("fuel", erin, "Fuel for the van", 74.2, "EUR").for_group("fleet"),
    ]
}
