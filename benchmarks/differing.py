"""How well contradicting documents are told from such as only look alike; print precision and recall by kind.

    RAGAPP_MODELS_DIR=.cache/models python -m benchmarks.differing [--half chosen|held-out] [--wrong]

Each pair is a statement that the answer rests on, and one of another document, both amid the same filler. Every second
pair of a kind is held out: rules were chosen on the others. The configured embedder decides with the words.
"""

# ruff: noqa: E501 - a row of a table has no line breaks.

import argparse
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragapp.answering.support import TextEmbedder

# Kind, question, ours, theirs; an answer in other words may follow, else the answer is our statement.
CONTRADICTING = """
days | How many days of annual leave do I get? | Staff get 25 days of annual leave. | Staff get 28 days of annual leave. | You get 25 days of annual leave.
days | How long is parental leave? | Parental leave lasts 14 weeks. | Parental leave lasts 18 weeks.
days | How many days of sick leave are paid? | Employees receive 10 paid sick days per year. | Employees receive 12 paid sick days per year. | You receive 10 paid sick days.
days | How many days can I carry over? | Up to five days of leave may be carried over to the next year. | Up to eight days of leave may be carried over to the next year. | You may carry over 5 days of leave.
days | How long is the notice period? | The notice period is three months. | The notice period is six weeks. | It is three months.
days | How long is probation? | The probation period is 6 months for all employees. | The probation period is 3 months for all employees.
days | How many remote days are there? | Employees may work remotely up to 3 days per week. | Employees may work remotely up to 2 days per week. | You may work remotely 3 days a week.
days | How much leave after five years? | After five years annual leave rises to 28 days. | After five years annual leave rises to 30 days. | It rises to 28 days.
days | How many days of volunteering? | Each employee is granted 2 volunteering days a year. | Each employee is granted 4 volunteering days a year.
days | How long is bereavement leave? | Bereavement leave is 5 working days. | Bereavement leave is 3 working days.
money | What is the hotel limit? | The hotel limit is 120 euro a night. | The hotel limit is 140 euro a night. | The hotel limit is 120 euro.
money | What is the meal allowance? | The meal allowance is €35 per day. | The meal allowance is €42 per day.
money | What does the gym subsidy pay? | The gym subsidy pays $40 a month. | The gym subsidy pays $55 a month. | It pays $40 a month.
money | What is the training budget? | Each employee has a training budget of 1,500 euros a year. | Each employee has a training budget of 2,000 euros a year. | The training budget is 1500 euros.
money | Up to what amount are purchases free? | Purchases of up to EUR 500 need no approval. | Purchases of up to EUR 250 need no approval.
money | What is the mileage rate? | The mileage rate is 0.30 euro per kilometre. | The mileage rate is 0.42 euro per kilometre. | The rate is 0.30 euro.
money | What is the referral bonus? | The referral bonus is $2,000 for every hire. | The referral bonus is $1,500 for every hire.
money | What is the deductible? | The annual deductible is $1,000 per person. | The annual deductible is $1,250 per person. | The deductible is $1,000.
money | What is the phone allowance? | The phone allowance is 25 pounds a month. | The phone allowance is 30 pounds a month.
money | How high is the revenue target? | The revenue target is 1.5 million euros. | The revenue target is 2 million euros.
percent | What is the pension contribution? | The company contributes 5 % of the salary to the pension. | The company contributes 7 % of the salary to the pension.
percent | How much of therapy is covered? | The plan covers 80 percent of therapy costs. | The plan covers 70 percent of therapy costs. | It covers 80%.
percent | What is the overtime supplement? | Overtime is paid with a supplement of 25%. | Overtime is paid with a supplement of 30%.
percent | How much of the salary is sick pay? | Sick pay is 100 % of the base salary. | Sick pay is 90 % of the base salary.
percent | What is the discount? | Staff get a discount of 15 percent in the canteen. | Staff get a discount of 20 percent in the canteen. | You get a discount of 15 %.
percent | What is the target for uptime? | The uptime target is 99.5 percent. | The uptime target is 99.9 percent.
dates | When does the fiscal year begin? | The fiscal year begins on 1 April. | The fiscal year begins on 1 July.
dates | When is the office party? | The summer party is on 14 June 2024. | The summer party is on 21 June 2024. | It is on 14 June 2024.
dates | When are bonuses paid? | Bonuses are paid in March. | Bonuses are paid in April.
dates | Since when is the policy in force? | The travel policy is in force since 2024-01-01. | The travel policy is in force since 2024-03-01.
dates | When does the office close? | The office closes for the holidays on December 22. | The office closes for the holidays on December 20.
dates | On which day are salaries paid? | Salaries are transferred on Friday. | Salaries are transferred on Thursday.
dates | When is the canteen open? | The canteen opens at 11:30. | The canteen opens at 12:00. | It opens at 11:30.
dates | When does support close? | The support desk closes at 6 pm. | The support desk closes at 5 pm.
deadlines | By when must expenses be filed? | Expense reports must be filed within 30 days. | Expense reports must be filed within 60 days. | File expense reports within 30 days.
deadlines | When must leave be requested? | Leave must be requested at least 14 days in advance. | Leave must be requested at least 10 days in advance.
deadlines | By when must carried leave be taken? | Carried leave must be taken by 31 March. | Carried leave must be taken by 30 June. | It must be taken by 31 March.
deadlines | When must an incident be reported? | Security incidents must be reported within 24 hours. | Security incidents must be reported within 72 hours.
deadlines | When is a sick note due? | A sick note is due on day 3 of absence. | A sick note is due on day 4 of absence.
deadlines | Until when can I enrol? | Enrolment in the health plan ends on November 15. | Enrolment in the health plan ends on November 30.
deadlines | How soon are complaints answered? | Complaints are answered within five business days. | Complaints are answered within ten business days. | They are answered within five business days.
deadlines | How long are records kept? | Payroll records are kept for 10 years. | Payroll records are kept for 7 years.
negation | May I carry over leave? | Unused leave can be carried over to the next year. | Unused leave cannot be carried over to the next year. | Unused leave can be carried over.
negation | Are dogs allowed in the office? | Dogs are allowed in the office. | Dogs are not allowed in the office.
negation | Is form TR-14 needed for trips? | Trips abroad require form TR-14. | Trips abroad no longer require form TR-14.
negation | May I use private phones? | Private phones may be used for company mail. | Private phones may never be used for company mail. | Private phones may be used for company mail.
negation | Is overtime paid out? | Overtime is not paid out in the sales team. | Overtime is paid out in the sales team.
negation | Is first class reimbursed? | First class train tickets are reimbursed. | First class train tickets aren't reimbursed.
negation | Does the plan cover acupuncture? | The plan covers acupuncture treatments. | The plan does not cover acupuncture treatments.
negation | Do freelancers need a badge? | Visiting freelancers need a badge. | Visiting freelancers do not need a badge.
levels | Which level may sign contracts? | Contracts may be signed from job level 5. | Contracts may be signed from job level 6.
levels | At what grade do team leads start? | Team leads start at grade 7. | Team leads start at grade 8. | They start at grade 7.
levels | Which band gets a company car? | A company car is granted from band 4. | A company car is granted from band 3.
levels | Which tier is remote support? | Remote support belongs to tier 2. | Remote support belongs to tier 1.
levels | How many interviews are there? | Every applicant has three interviews. | Every applicant has four interviews. | There are three interviews.
levels | How many people approve? | Two managers approve every purchase order. | Three managers approve every purchase order.
versions | Which Python is required? | The build server requires Python version 3.9. | The build server requires Python version 3.11.
versions | Which version of the form is valid? | Only version 4 of the travel form is valid. | Only version 5 of the travel form is valid.
versions | How long must a password be? | A password must have at least 12 characters. | A password must have at least 14 characters. | Passwords must have 12 characters.
versions | How many backups are kept? | We keep 7 backups of every database. | We keep 30 backups of every database.
other words | How many days of leave do I get? | Staff get 25 days of annual leave. | Employees are entitled to 28 days of annual leave per year.
other words | When must expenses be filed? | All expense reports must be submitted within 30 days. | Employees must submit expense reports within 45 days after the trip.
other words | How many remote days are there? | Remote work is allowed on 3 days a week. | Employees may work remotely up to 2 days a week.
other words | What is the hotel limit? | The hotel limit is 120 euro a night. | Hotels are reimbursed up to 150 euro per night.
other words | How long is probation? | Probation lasts six months. | The probation period is three months.
other words | What is the bonus for referrals? | From 1 March 2024 the referral bonus is 1,000 euro. | The referral bonus is 800 euro.
"""
# Kind, question, ours, theirs; then our title, their title, our heading, their heading, as far as they matter.
ALIKE = """
subject | How many days of sick leave do I get? | Staff get 10 days of sick leave. | Staff get 25 days of annual leave.
subject | How many days of annual leave do I get? | Staff get 25 days of annual leave. | Staff get 15 days of parental leave.
subject | What is the hotel limit? | The hotel limit is 120 euro a night. | The taxi limit is 40 euro a night.
subject | When must expenses be filed? | Expense reports must be filed within 30 days. | Incident reports must be filed within 2 days.
subject | How long is the notice period? | The notice period is three months. | The probation period is six months.
subject | How much of therapy is covered? | The plan covers 80 percent of therapy costs. | The plan covers 50 percent of dental costs.
subject | When are bonuses paid? | Bonuses are paid in March. | Salaries are paid in April.
subject | Are dogs allowed? | Dogs are allowed in the office. | Cats are not allowed in the office.
subject | How long are records kept? | Payroll records are kept for 10 years. | Visitor records are kept for 2 years.
subject | What is the meal allowance? | The breakfast allowance is €10 per day. | The dinner allowance is €30 per day.
group | How many days of leave do I get? | Staff get 25 days of annual leave. | Part-time staff get 15 days of annual leave.
group | How much leave do interns get? | Interns get 10 days of annual leave. | Managers get 30 days of annual leave.
group | How long is probation? | The probation period is 6 months for managers. | The probation period is 3 months for apprentices.
group | What is the notice period? | The notice period is four weeks. | The notice period is three months for directors.
group | Is overtime paid out? | Overtime is paid out in the sales team. | Overtime is not paid out in the legal team.
group | How many days of leave do apprentices get? | Apprentices get 27 days of leave. | Staff get 25 days of leave.
group | What is the referral bonus? | The referral bonus is $2,000 for engineers. | The referral bonus is $1,000 for other hires.
group | What can contractors claim? | Contractors may claim 50 euro a day. | Employees may claim 80 euro a day.
site | What is the hotel limit in Oslo? | The hotel limit in Oslo is 180 euro. | The hotel limit in Lisbon is 120 euro.
site | What is the hotel limit? | The hotel limit is 120 euro a night. | The hotel limit in London is 200 euro a night.
site | When is the office open in Berlin? | The office opens at 8:00. | The office opens at 9:00. | Berlin office guide | Munich office guide
site | When is the office open? | The office opens at 8:00 daily. | The office opens at 9:00 daily. | berlin.md | munich.md
site | How many parking spaces are there? | There are 40 parking spaces for visitors. | There are 15 parking spaces for visitors. | Site handbook Vienna | Site handbook Graz
site | How much leave do I get in Spain? | Employees get 23 days of annual leave. | Employees get 25 days of annual leave. | Handbook Spain | Handbook
site | When does the canteen open? | The canteen opens at 11:30. | The canteen opens at 12:00. | Canteen | Canteen | North campus | South campus
site | May I bring a dog? | Dogs are allowed in the office. | Dogs are not allowed in the office. | Office rules Hamburg | Office rules Dresden
plan | What is the deductible of Standard? | The annual deductible is $2,000 per person. | The annual deductible is $1,000 per person. | Northwind Standard | Northwind Health Plus
plan | What is the deductible? | The annual deductible is $2,000 per person. | The annual deductible is $1,000 per person. | Northwind Standard Benefits | Northwind Health Plus Benefits
plan | What does Basic cover? | The Basic plan covers 60% of dental costs. | The Premium plan covers 90% of dental costs.
plan | Is acupuncture covered by Basic? | The plan does not cover acupuncture treatments. | The plan covers acupuncture treatments. | Basic plan | Basic and Premium plan
plan | How much storage is there? | Each user has 50 GB of storage space. | Each user has 100 GB of storage space. | Plans | Plans | Team plan | Business plan
plan | What is the copay? | Under Silver the copay for visits is $30. | Under Gold the copay for visits is $20.
plan | What is the monthly fee? | The monthly fee is 20 euro per seat. | The monthly fee is 35 euro per seat. | Starter tariff | Growth tariff
plan | How long is support? | Support answers tickets within 8 hours. | Support answers tickets within 1 hour. | Support | Support | Bronze contract | Gold contract
same value | How many days of leave do I get? | Staff get 25 days of annual leave. | Staff get twenty-five days of annual leave.
same value | How many days can I carry over? | Up to five days of leave may be carried over. | Up to 5 days of leave may be carried over.
same value | What is the training budget? | The training budget is 1,250 euros. | The training budget is 1250 euro.
same value | How long is parental leave? | Parental leave lasts 14 days. | Parental leave lasts two weeks.
same value | How long is probation? | The probation period is 12 months. | The probation period is one year.
same value | When must an incident be reported? | Security incidents must be reported within 48 hours. | Security incidents must be reported within two days.
same value | When does support close? | The support desk closes at 6 pm. | The support desk closes at 18:00.
same value | When is the party? | The summer party is on 14 June 2024. | The summer party is on 2024-06-14.
same value | What is the pension contribution? | The company contributes 5 % of the salary. | The company contributes five percent of the salary.
same value | How high is the target? | The revenue target is 1.5 million euros. | The revenue target is 1,500,000 euros.
same value | How long is notice? | The notice period is 90 days. | The notice period is three months.
same value | When does the fiscal year begin? | The fiscal year begins on 1 April. | The fiscal year begins on April 1st.
ranges | How long does hiring take? | Hiring takes 4 to 6 weeks. | Hiring takes 4-6 weeks.
ranges | How many days of training are there? | New hires have 3 to 5 days of training. | New hires have 4 days of training.
ranges | What is the salary range? | The salary of analysts is 40,000 to 50,000 euro. | The salary of analysts is between 40,000 and 50,000 euro.
ranges | When are reviews held? | Reviews are held within 10 to 14 days. | Reviews are held within two weeks.
tiers | How much leave after five years? | After 5 years annual leave is 28 days. | After 10 years annual leave is 30 days.
tiers | What does level 4 get? | Level 4 gets a budget of 500 euro. | Level 5 gets a budget of 700 euro.
tiers | How much is the bonus? | The bonus for 2023 is 5 percent. | The bonus for 2024 is 6 percent.
tiers | Who approves purchases? | Purchases above 500 euro need one signature. | Purchases above 5,000 euro need two signatures.
tiers | How much leave do I get? | Staff get 25 days of annual leave. | Staff get 25 days of annual leave. After ten years staff get 30 days of annual leave.
tiers | How much leave do I get? | Staff get 25 days of annual leave. | Until 2022 staff got 22 days of annual leave. Staff get 25 days of annual leave.
numbering | How many days of leave do I get? | 1. Staff get 25 days of annual leave. | 2. Staff get 25 days of annual leave.
numbering | Where are expenses described? | Expense reports are described in section 4.2 of 30 pages. | Expense reports are described in section 5.1 of 30 pages.
numbering | How is leave requested? | See page 12 on how leave is requested in 3 steps. | See page 14 on how leave is requested in 3 steps.
numbering | Is travel paid? | 3.1 Travel within 50 km is not paid (see clause 4). | 4.1 Travel within 50 km is not paid (see clause 5).
unrelated number | How many days of leave do I get? | Staff get 25 days of annual leave. | Staff request annual leave at least 14 days before.
unrelated number | What is the hotel limit? | The hotel limit is 120 euro a night. | The hotel limit was set by 3 managers.
unrelated number | How long is probation? | The probation period is 6 months. | The probation period has 2 reviews.
negated condition | May I carry over leave? | Unused leave can be carried over. | Unused leave can be carried over if it was not possible to take it.
negated condition | When must reports be filed? | Reports must be filed within 5 days. | Reports must be filed not later than 5 days.
negated condition | Are visitors allowed? | Visitors are allowed in the lab with a badge. | Visitors are not allowed in the lab without a badge.
negated condition | How much may I spend? | Gifts may be worth up to 50 euro. | Gifts must not exceed 50 euro.
negated condition | Who gets leave? | All employees get leave, whether or not they are full time. | All employees get leave.
"""
_FILLER_BEFORE = "This document is kept by the people department."
_FILLER_AFTER = "Ask your manager where anything is unclear."


@dataclass(frozen=True)
class Pair:
    """A statement of one document and one of another. `differ`: the second contradicts the first."""

    kind: str
    question: str
    ours: str
    theirs: str
    answer: str
    titles: tuple[str, str]
    headings: tuple[str, str]
    differ: bool
    held_out: bool


def pairs() -> Iterator[Pair]:
    """Every pair; of each kind, every second one is held out."""
    for lines, differ in ((CONTRADICTING, True), (ALIKE, False)):
        of_kind: dict[str, int] = defaultdict(int)
        for line in lines.strip().splitlines():
            kind, question, ours, theirs, *rest = (part.strip() for part in line.split(" | "))
            titles, headings = ("Policy 2022", "Policy 2024"), ("", "")
            if rest and not differ:
                titles, headings = (rest[0], rest[1]), (rest[2], rest[3]) if rest[2:] else ("", "")
            yield Pair(
                kind=kind, question=question, ours=ours, theirs=theirs, titles=titles, headings=headings, differ=differ,
                answer=rest[0] if rest and differ else ours, held_out=of_kind[kind] % 2 == 1,
            )  # fmt: skip
            of_kind[kind] += 1


def fires(pair: Pair, embedder: "TextEmbedder | None") -> bool:
    """Whether the answer is told to be contradicted."""
    from ragapp.answering import citing, differing
    from ragapp.answering.base import Passage
    from ragapp.answering.support import Support

    passages = [
        Passage(
            chunk_id=str(i), document_id=str(i), collection_id="c", title=pair.titles[i], heading=pair.headings[i],
            text=f"{_FILLER_BEFORE} {text} {_FILLER_AFTER}", label=0, dated=datetime(2022 + 2 * i, 1, 1, tzinfo=UTC),
        )
        for i, text in enumerate((pair.ours, pair.theirs))
    ]  # fmt: skip
    support = Support(passages, question=pair.question, embedder=embedder)
    cited = citing.cite(pair.answer, support)
    return differing.told(cited, passages, support=support).text != cited.text


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("chosen", "held-out"))
    parser.add_argument("--wrong", action="store_true", help="print the pairs that are judged wrongly")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ragapp.settings")
    import django

    django.setup()
    from ingestion import engine

    embedder = engine.embedder()
    tables: dict[tuple[bool, str], list[tuple[Pair, bool]]] = defaultdict(list)
    for pair in pairs():
        tables[pair.held_out, pair.kind].append((pair, fires(pair, embedder)))
    print("| half | kind | pairs | contradict | told |\n|---|---|---|---|---|")
    for held_out in (False, True):
        half = "held-out" if held_out else "chosen"
        if options.half not in (None, half):
            continue
        judged = []
        for (of_half, kind), found in tables.items():
            if of_half is held_out:
                judged += found
                print(
                    f"| {half} | {kind} | {len(found)} | {sum(p.differ for p, _ in found)} | {sum(t for _, t in found)} |"
                )
        right = sum(pair.differ and told for pair, told in judged)
        told_all, differ_all = sum(told for _, told in judged), sum(pair.differ for pair, _ in judged)
        print(f"| {half} | all | {len(judged)} | {differ_all} | {told_all} |")
        print(f"\n{half}: precision {right / max(told_all, 1):.3f}, recall {right / differ_all:.3f}\n")
        for pair, told in judged:
            if options.wrong and told is not pair.differ:
                print(f"{'MISSED' if pair.differ else 'FALSE'} {pair.kind}: {pair.ours} <> {pair.theirs}")


if __name__ == "__main__":
    main()
