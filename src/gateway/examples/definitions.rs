//! The four workflows and the forms of their tasks.

use super::flow::{Ask, Flow, Form, answer, compare, constant, format, set, text, to, to_if, value, variable};
use crate::api::littlehorse as lh;
use lh::VariableType::{Bool, Double, Int, Str};
use lh::variable_value::Value;

/// Names of the workflows.
pub(super) const EXPENSE: &str = "expense-approval";
pub(super) const CUSTOMER: &str = "know-your-customer";
pub(super) const INVOICE: &str = "data-input";
pub(super) const CALCULATION: &str = "manual-calculation";

/// The groups that the workflows turn to by themselves.
pub(super) const ACCOUNTING: &str = "accounting";
pub(super) const COMPLIANCE: &str = "compliance";

/// From this risk on, a second pair of eyes looks at a customer.
const RISKY: i64 = 50;

/// The variables that say for whom the first task of each workflow is.
pub(super) const FOR_USER: &str = "assignee";
pub(super) const FOR_GROUP: &str = "group";

/// Every form.
pub(super) fn forms() -> Vec<lh::PutUserTaskDefRequest> {
    vec![
        Form::new("approve-expense", "Decide whether an expense is paid back.")
            .required("approved", Bool, "Approved", "Yes pays it back; no sends it back to whoever asked")
            .optional(
                "amount",
                Double,
                "Amount to pay",
                "Only if it is not the whole amount; in the currency asked for",
            )
            .optional("costCentre", Int, "Cost centre", "Four digits")
            .optional("comment", Str, "Comment", "Whoever asked for it reads this")
            .request(),
        Form::new("pay-expense", "Transfer the money of an approved expense.")
            .required("reference", Str, "Payment reference", "As your bank shows it")
            .optional("paidInCash", Bool, "Paid in cash", "")
            .request(),
        Form::new("read-decision", "Take note that an expense was not approved.")
            .required("understood", Bool, "Understood", "")
            .optional("reply", Str, "Reply", "")
            .request(),
        Form::new("verify-customer", "Check who a new customer is before the first order.")
            .required("identityChecked", Bool, "Identity checked", "You saw the passport or the register entry")
            .required("documentNumber", Str, "Document number", "Of the passport or the register entry")
            .required("risk", Int, "Risk", "0 is none, 100 the highest; from 50 on compliance looks at it too")
            .optional("turnover", Double, "Expected turnover", "A year, in EUR")
            .optional("remarks", Str, "Remarks", "")
            .request(),
        Form::new("review-customer", "Decide about a customer with a high risk.")
            .required("accepted", Bool, "Accepted", "")
            .required("reason", Str, "Reason", "One sentence that an auditor understands")
            .request(),
        Form::new("enter-invoice", "Type in what a scanned invoice says.")
            .required("supplier", Str, "Supplier", "The name on the letterhead")
            .required("invoiceNumber", Str, "Invoice number", "")
            .required("total", Double, "Total", "With tax")
            .optional("dueInDays", Int, "Due in days", "Leave it empty if the invoice does not say")
            .optional("reverseCharge", Bool, "Reverse charge", "Says so near the total")
            .request(),
        Form::new("calculate", "Work something out by hand.")
            .required("result", Double, "Result", "")
            .required("method", Str, "How you got it", "So that somebody else can check it")
            .optional("attempts", Int, "Attempts", "How often you calculated it")
            .optional("sure", Bool, "Sure", "")
            .request(),
    ]
}

fn first_task(form: &str, notes: lh::VariableAssignment) -> Ask<'_> {
    Ask { form, user: Some(variable(FOR_USER)), group: Some(variable(FOR_GROUP)), notes }
}

/// Every workflow. Unless told otherwise, first tasks go to `group`.
pub(super) fn workflows(group: &str) -> Vec<lh::PutWfSpecRequest> {
    let for_whom = |flow: Flow| flow.optional(FOR_USER, Str, None).optional(FOR_GROUP, Str, Some(text(group)));
    vec![
        for_whom(expense()).request(),
        for_whom(customer()).request(),
        for_whom(invoice()).request(),
        for_whom(calculation()).request(),
    ]
}

fn expense() -> Flow {
    let (approve, decided, pay, tell) =
        ("1-approve-expense-USER_TASK", "2-decided-NOP", "3-pay-expense-USER_TASK", "4-read-decision-USER_TASK");
    let yes = compare(variable("approved"), lh::Comparator::Equals, constant(value(Value::Bool(true))));
    let notes = |words: &str| format(words, &["purpose", "amount", "currency"]);
    let mut decision = to(decided);
    decision.variable_mutations = vec![set("approved", answer(approve, "approved"))];
    Flow::new(EXPENSE, approve)
        .input("requester", Str)
        .input("purpose", Str)
        .input("amount", Double)
        .optional("currency", Str, Some(text("EUR")))
        .optional("approved", Bool, None)
        .ask(approve, first_task("approve-expense", notes("{0}, {1} {2}")), vec![decision])
        .fork(decided, vec![to_if(pay, yes), to(tell)])
        .ask(
            pay,
            Ask {
                form: "pay-expense",
                user: None,
                group: Some(constant(text(ACCOUNTING))),
                notes: notes("Approved: {0}, {1} {2}"),
            },
            vec![to("5-exit-EXIT")],
        )
        .ask(
            tell,
            Ask {
                form: "read-decision",
                user: Some(variable("requester")),
                group: None,
                notes: notes("Not approved: {0}, {1} {2}"),
            },
            vec![to("5-exit-EXIT")],
        )
        .exit("5-exit-EXIT")
}

fn customer() -> Flow {
    let (verify, rated, review) = ("1-verify-customer-USER_TASK", "2-rated-NOP", "3-review-customer-USER_TASK");
    let risky = compare(variable("risk"), lh::Comparator::GreaterThanEq, constant(value(Value::Int(RISKY))));
    let mut rating = to(rated);
    rating.variable_mutations = vec![set("risk", answer(verify, "risk"))];
    Flow::new(CUSTOMER, verify)
        .input("customer", Str)
        .optional("country", Str, Some(text("DE")))
        .optional("risk", Int, None)
        .ask(
            verify,
            first_task("verify-customer", format("{0} ({1}), new account", &["customer", "country"])),
            vec![rating],
        )
        .fork(rated, vec![to_if(review, risky), to("4-exit-EXIT")])
        .ask(
            review,
            Ask {
                form: "review-customer",
                user: None,
                group: Some(constant(text(COMPLIANCE))),
                notes: format("{0} ({1}), risk {2}", &["customer", "country", "risk"]),
            },
            vec![to("4-exit-EXIT")],
        )
        .exit("4-exit-EXIT")
}

fn invoice() -> Flow {
    let enter = "1-enter-invoice-USER_TASK";
    Flow::new(INVOICE, enter)
        .input("scan", Str)
        .optional("pages", Int, Some(value(Value::Int(1))))
        .ask(
            enter,
            first_task("enter-invoice", format("Scan {0}, pages: {1}", &["scan", "pages"])),
            vec![to("2-exit-EXIT")],
        )
        .exit("2-exit-EXIT")
}

fn calculation() -> Flow {
    let calculate = "1-calculate-USER_TASK";
    let mut found = to("2-exit-EXIT");
    found.variable_mutations = vec![set("result", answer(calculate, "result"))];
    Flow::new(CALCULATION, calculate)
        .input("question", Str)
        .optional("urgent", Bool, Some(value(Value::Bool(false))))
        .optional("result", Double, None)
        .ask(calculate, first_task("calculate", format("{0}", &["question"])), vec![found])
        .exit("2-exit-EXIT")
}
