"""Writes the two PDF and two DOCX files of the sample handbook, whose text is below, into ragapp/sample/.

The Markdown files of that folder are written by hand. To change one of these four, edit its text here and run

    python -m pip install reportlab python-docx
    python deploy/make_sample.py [FOLDER]

The same text and the same library versions give the same bytes: dates, ids and archive times are fixed.
"""

import io
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from docx.table import Table as WordTable
from docx.text.paragraph import Paragraph as WordParagraph
from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    ListFlowable,
    ListItem,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

COMPANY = "Merrowby Instruments"
NAVY, TEAL, PALE, GREY = "#12324A", "#1F7A8C", "#EEF4F6", "#5B6B75"
ISSUED = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)

# The texts use a small part of Markdown: headings, paragraphs, "-" and "1." lists, tables and **bold**.

SAFETY = """
## 1 Purpose and responsibilities

This manual explains how we keep people from being hurt at Merrowby's three sites, Tidewell, Skelmoor and
Rotterdam, and at the rivers, harbours and rooftops where our instruments are installed. It applies to
employees, temporary workers, visitors and contractors alike.

The Managing Director is accountable for safety. The Health and Safety Manager, on extension 4500, writes
the rules and checks that they work. Line managers make sure that their people are trained and equipped.
Everyone else has one duty that overrides any deadline: stop work that looks dangerous. Nobody has ever been
criticised for stopping a job, and nobody will be.

The Safety Committee meets on the second Thursday of every month. Each department sends one elected
representative, who serves for 2 years.

## 2 Emergencies

### 2.1 Raising the alarm

For fire, serious injury or a chemical release, break the nearest call point and dial 2222 from any company
telephone. From a mobile phone dial the public emergency number first, and then the site number on the back
of your badge. Do not fight a fire that is larger than a waste-paper basket.

When the alarm sounds continuously, leave at once by the nearest exit and go to your assembly point. Fire
wardens in orange vests check the rooms; Tidewell has 14 wardens, Skelmoor 4 and Rotterdam 3. Nobody goes
back in before the senior warden says so.

| Site | Assembly point | Alarm test | Nearest defibrillator |
| --- | --- | --- | --- |
| Tidewell works | car park C, by the flagpole | Tuesday, 10:15 | reception and canteen |
| Skelmoor laboratory | lawn behind the weather mast | Wednesday, 09:30 | corridor outside bath room 2 |
| Rotterdam office | quay side, at bollard 31 | first Monday, 12:00 | ground-floor lift lobby |

Evacuation drills take place twice a year, in March and in September. The target is an empty building within
4 minutes.

### 2.2 First aid

There is a trained first aider on every shift; the names are posted beside each first-aid cabinet. Cabinets
are checked every 2 weeks. First aiders renew their certificate every 3 years and receive a yearly allowance
of €180.

## 3 Reporting accidents and near misses

Report every accident, however small, on form HS-1 within 24 hours. Report a near miss, an event that could
have hurt somebody and did not, on form HS-2 within 3 working days. For a fracture, a burn larger than a
hand, any loss of consciousness or an electric shock, call the Health and Safety Manager at once, and leave
the place as it is.

The line manager investigates a near miss within 5 working days. The Health and Safety Manager investigates
accidents and publishes the findings, without names, within 15 working days. Accident records are kept for
10 years.

## 4 Workshops and laboratories

### 4.1 Protective equipment

Protective equipment is free. Collect it from stores, window 2, on showing your badge. Prescription safety
glasses are ordered with form HS-7, and are replaced every 2 years.

| Area | Always required | Also required for some tasks |
| --- | --- | --- |
| Machine shop | safety glasses, safety shoes S2 | hearing protection above 85 dB(A) |
| Assembly hall | antistatic shoes and wrist strap | safety glasses when soldering |
| Tow tank and flume | non-slip shoes | life jacket on the carriage |
| Calibration baths | lab coat, safety glasses | heat-proof gloves above 60 °C |
| Goods-in and stores | safety shoes S3, high-visibility vest | helmet in the high-rack aisles |

Loose sleeves, rings and gloves are forbidden at rotating machines. Long hair is tied back.

### 4.2 Locking out machines

Before you clean, repair or reach into a machine, switch it off, fit your own red padlock to the isolator,
hang the tag from form HS-12 on it and try to start the machine. Each person fits a separate padlock. A
padlock is removed only by its owner; if the owner has left the site, the production manager may cut it
after speaking to the owner by telephone.

### 4.3 Chemicals and batteries

No chemical enters a site without a safety data sheet and the agreement of the Health and Safety Manager on
form HS-9. Mercury has been banned at all sites since 2009. A solvent cabinet holds no more than 50 litres,
and no more than 1 litre of isopropanol may stand on a workbench. Yellow spill kits stand at every
laboratory door; order a replacement on the day you open one.

Lithium batteries are stored at 30 to 40 % charge in the fire-rated cabinet of hall 3, never in a desk. A
swollen or dropped pack goes into the sand bin outside hall 3, and extension 4500 is told at once.

## 5 Lifting and transport

One person lifts up to 20 kg, and two people together up to 35 kg. Anything heavier needs the hoist or a
lift truck. A Curlew tide gauge in its crate weighs 48 kg and is therefore never carried by hand. Lift
trucks are driven only with a company permit, which is renewed every 3 years; the speed limit indoors is 6
km/h.

## 6 Working at and on water

Most of our serious near misses happen within 3 metres of a river. The following rules therefore have no
exceptions.

- Nobody works alone within 3 metres of open water. The smallest team is two, and both can see each other.
- Wear an automatic life jacket of at least 150 N. It is serviced every 12 months; the date is on the
collar.
- Telephone the Field Service desk, extension 4700, on arrival, every 2 hours and on leaving. If a call is
30 minutes overdue, the desk starts the search plan.
- Stop boat work at a wind of force 5 or more, and bank work at force 7 or more.
- Do not wade if depth in metres multiplied by speed in metres per second is more than 0.6.
- Write a site risk assessment, form HS-15, before the first visit. It is valid for 12 months, or until the
next flood.

In water colder than 10 °C an immersion suit replaces normal waterproofs on boats.

## 7 Heights, confined spaces and contractors

A permit to work, form HS-20, is needed for work above 2 metres without a fixed railing, in stilling wells
and other confined spaces, and for any hot work. The permit is issued by the production manager, or in the
field by the Field Service lead, and expires at the end of the shift. A gas detector is worn in every
stilling well deeper than 1.2 metres.

Contractors attend a 20-minute briefing before starting, and it is repeated after 12 months.

## 8 Screen work and well-being

Everyone who works at a screen has a workstation assessment, form HS-30, within 30 days of starting, and
again after each move. Merrowby pays for an eye test every 2 years up to €60, and for glasses needed for
screen work up to €120.

The confidential counselling line is open day and night, on the number shown in Gangway. The first 6
sessions are paid by the company, and no manager learns who has called.

## 9 Training

| Course | Who | Length | Repeated |
| --- | --- | --- | --- |
| Safety induction | everyone, on the first day | 90 minutes | not repeated |
| Fire warden | wardens | half a day | every 2 years |
| First aid at work | first aiders | 2 days | every 3 years |
| Water safety and rescue | Field Service, tow-tank staff | 1 day | every 12 months |
| Working at height | mast and rooftop installers | 1 day | every 2 years |

Attendance is recorded in Gangway. Anyone whose certificate has run out is taken off the task until it is
renewed.

## 10 Field vehicles

A field vehicle carries two life jackets, a throw line of 20 metres, a first-aid box and a fire extinguisher
of 2 kg. The driver checks them on the first trip of each week and signs the card in the glove box. Nobody
drives for more than 9 hours in a day, and after 4.5 hours at the wheel the driver takes a break of 45
minutes. If driving and site work together would come to more than 13 hours, an overnight stay is booked,
and no approval is needed for it.

Winter tyres are fitted from 1 November to 31 March. A trailer may be pulled only by drivers who have shown
the fleet coordinator that they can reverse it into the boat shed.

## 11 Contacts and review

| Subject | Who | Extension |
| --- | --- | --- |
| Emergency at any site | emergency desk | 2222 |
| Advice, forms, chemicals | Health and Safety Manager | 4500 |
| Safety glasses, shoes, life jackets | stores, window 2 | 4520 |
| Check-in from the water, search plan | Field Service desk | 4700 |
| Vehicles and trailers | fleet coordinator | 4710 |

The Health and Safety Manager reviews this manual every 12 months and after every accident that kept
somebody away from work for more than 3 days. Proposals are welcome on form HS-40; each one is answered by
the Safety Committee at its next meeting, and the best of the year earns its author €250.
"""

WARRANTY = """
## 1 What this policy covers

This policy applies to new instruments made by Merrowby and sold by us or by an authorised distributor for
delivery on or after 1 January 2026. It tells customers what we promise, and tells our own staff how to keep
the promise. Rights that the law gives to a buyer are not reduced by anything written here.

Our products carry the names of water birds. **Heron** is a radar sensor for river level, **Plover** a
tipping-bucket rain gauge, **Curlew** a tide gauge, **Dunlin** a data logger, and **Sandpiper** a portable
flow meter.

## 2 Warranty periods

The warranty begins on the day of delivery, as shown on the delivery note. It covers faults in material and
workmanship, and drift beyond the accuracy stated in the data sheet.

| Product | Warranty | Extendable | Recommended recalibration |
| --- | --- | --- | --- |
| Heron radar level sensor | 36 months | yes | every 24 months |
| Plover rain gauge | 24 months | no | every 12 months |
| Curlew tide gauge | 60 months | yes | every 36 months |
| Dunlin data logger | 36 months | yes | not needed |
| Sandpiper flow meter | 24 months | no | every 12 months |
| Batteries, desiccant, cables | 12 months | no | not needed |

### 2.1 Extending the warranty

A customer who registers a Heron, Curlew or Dunlin with form WR-1 within 60 days of delivery receives 12
further months free of charge. The serial number and the place of installation must be given. Late
registrations are not accepted, and the extension passes on to a new owner only if we are told of the sale
within 30 days.

### 2.2 Repaired and replaced parts

A repaired or replaced part is covered for 6 months, or for the rest of the original warranty, whichever is
longer. Paid repairs outside the warranty are covered for 6 months. Spare parts are kept for 10 years after
a product's last sale.

## 3 What is not covered

The warranty does not cover the following faults, damage and costs:

- Damage by lightning, unless the surge protector SP-4 was fitted and earthed.
- Submersion deeper than the rating on the type plate, ice pressure, and collision with boats or driftwood.
- Instruments whose blue seal has been broken by anyone but an authorised workshop.
- Blocked funnels, fouling by weed or insects, and other maintenance described in the user manual.
- Firmware that was not released by Merrowby.
- Costs of divers, boats, cranes and lost data.

Opening the battery compartment does not break the blue seal and does not affect the warranty.

## 4 Making a warranty claim

Every return needs a return number before it is sent. The customer completes form WR-4 on our website, or
calls Customer Service on extension 4600. A number of the form RMA-2026-00000 is issued within 1 working day
and is valid for 30 days. Parcels that arrive without a number are kept for 20 working days and then sent
back at the customer's cost.

Instruments that were used in waste water need a signed decontamination certificate, form WR-7, on the
outside of the parcel. Without it the parcel is not opened.

### 4.1 Who pays for transport

Within Europe we pay for transport in both directions during the warranty, by our own carrier. Outside
Europe the customer pays to send the instrument to us, and we pay to send it back. If no fault is found, the
customer pays for both directions and an inspection fee of €95.

### 4.2 How long it takes

Times are counted in working days from arrival in Tidewell or, for Curlew tide gauges, which are repaired
there, in Rotterdam.

| Service | Time | Price during the warranty |
| --- | --- | --- |
| Standard repair | 10 working days | free |
| Express repair | 4 working days | €180 |
| Replacement of an instrument dead on arrival | shipped within 2 working days | free |
| Recalibration at Skelmoor laboratory | 15 working days | not part of the warranty |

An instrument that fails within 14 days of delivery counts as dead on arrival and is replaced with a new
one. If a standard repair takes longer than 10 working days, we offer a loan instrument free of charge from
the 11th day.

Memory is erased during repair. Customers should download their data beforehand; recovery of data from a
Dunlin logger can be ordered for €240.

## 5 Repairs outside the warranty

We examine the instrument for a diagnostic fee of €95, which is waived if the repair is ordered. Quotations
are valid for 45 days. If the quotation is refused, we return the instrument unrepaired, or dispose of it
free of charge. If no answer comes within 90 days of the quotation, the instrument is disposed of after one
written reminder.

## 6 Returning goods that are not faulty

Standard products may be returned within 30 days of delivery if they are complete and unused. Within 14
days, and unopened, there is no charge. Otherwise a restocking fee of 15 % of the net price is deducted.
Customised instruments, cables cut to length and calibration services cannot be returned.

Refunds are paid within 14 days of the goods' arrival, to the account from which they were bought. Goods
bought from a distributor are returned to that distributor.

## 7 Calibration certificates

Every instrument except the Dunlin is delivered with a certificate. A new certificate after recalibration
costs €210 for a Plover, €290 for a Sandpiper, €340 for a Heron and €620 for a Curlew. Lost certificates
from the last 15 years are reprinted for €25.

## 8 Goodwill and complaints

When a fault appears shortly after the warranty has ended, we may share the cost. Customer Service agents
may grant goodwill of up to €300 per case, the Head of Customer Service up to €2,500, and the Financial
Controller above that. Goodwill is not offered more than 12 months after the end of the warranty.

Complaints are acknowledged within 2 working days and answered within 10. A customer who is not satisfied
with the answer may write to the Managing Director, who replies within 20 working days. A fault that could
lead to a wrong flood warning is never treated as an ordinary complaint: it is passed at once to the Product
Safety Engineer on extension 4650, who may order a recall.
"""

ONBOARDING = """
## Welcome

Starting a job is tiring, mostly because everybody assumes that you know things that nobody has told you.
This guide is an attempt to tell you. It follows the order in which you will need it, from the week before
you start to the end of your probation. Your line manager and your buddy have the same guide, so it is quite
all right to ask why something has not happened yet.

## Before your first day

The People Team sends your contract and a link to Gangway, the people portal, at least 10 days before you
start. Please enter your bank details with form PE-2 by the 10th of the month in which you start; otherwise
your first salary is paid a month later. Salaries are paid on the 27th, or on the last working day before
it.

Tell us your shoe size and clothing size in Gangway if you will work in the workshops, and say if you need
an adjusted workplace. Your laptop is prepared 3 working days ahead.

## Your first day

Come to the reception of your site at 09:00; shift workers in Tidewell come at 09:00 too, whatever their
later shift. Bring an identity document and, if you have them, certificates for lift trucks, first aid or
work at height. You receive your badge, your laptop and a canteen card charged with €20.

The day includes the safety induction of 90 minutes, a tour that ends at the tow tank, and lunch with your
buddy, which the company pays for. You set up your passphrase and your second factor at the Service Desk. No
one expects any work from you on the first day.

## Your first three months

Hybrid employees work on site every day for the first 8 weeks. After that the normal rules of Remote Work
and Equipment (HB-03) apply. Your manager writes down three goals with you by the end of week 2, and you
look at them together every second week.

Every newcomer, whatever the job, spends one day in the assembly hall and one day with a Field Service team
within the first 90 days. Newcomers in assembly spend the second day in Customer Service instead if they
prefer to stay dry.

| What | Deadline | Who arranges it |
| --- | --- | --- |
| Safety induction | day 1 | Health and Safety Manager |
| Information security course | within 14 days | Information Security Officer |
| Three written goals | end of week 2 | line manager |
| Workstation assessment, form HS-30 | within 30 days | Health and Safety Manager |
| Product basics, two afternoons | within 45 days | Learning Partner |
| Day in assembly and day in the field | within 90 days | buddy |
| Code of conduct, signed form PE-8 | within 30 days | People Team |

## Your buddy

Your buddy is an experienced colleague from another team, so that you can ask what you would not ask your
manager. You meet every week for the first 8 weeks and then once a month until the end of probation. Each
pair has €60 to spend on coffee and lunches. If the two of you do not get on, tell the Learning Partner, on
extension 4220, and you will have another buddy within a week and no questions.

## Probation

Probation lasts 6 months for all employees. There are three review meetings, in weeks 6, 14 and 22, recorded
on form PE-11. The decision is given in writing no later than 2 weeks before probation ends. Probation can
be extended once, by up to 3 months, and only if the week 14 review named the reason.

Notice periods are the same for both sides and depend on service.

| Length of service | Notice period |
| --- | --- |
| During probation | 1 week |
| After probation, up to 5 years | 1 month |
| More than 5 years | 2 months |
| Department heads, after probation | 3 months |

## Pay and benefits

- **Pension:** you are enrolled automatically after 3 months. You pay 4 % of salary and Merrowby pays 8 %;
if you raise your share to 6 %, Merrowby pays 10 %.
- **Learning budget:** €900 per calendar year, available after probation. Unused money does not carry over.
- **Bonus:** up to 6 % of annual base salary, paid with the March salary, according to the company's
results.
- **Recommending a friend:** €1,200 for a successful hire, half when your friend starts and half after 6
months.
- **Commuting:** Merrowby pays 50 % of a public transport season ticket, up to €70 a month.
- **Canteen:** lunch costs €4.50 in Tidewell; at the other sites you receive a meal voucher of €6 per day on
site.

Annual leave, sickness and family leave are described in Time Off (HB-01). Salary is reviewed every April;
newcomers who started after 1 October take part for the first time in the following year.

## Who to ask

| Subject | Contact | Extension |
| --- | --- | --- |
| Computers, accounts, telephones | Service Desk | 4100 |
| Contract, leave, salary | People Team | 4200 |
| Training, buddies | Learning Partner | 4220 |
| Expenses | Finance | 4300 |
| Travel bookings | Waypoint | 4350 |
| Suspicious mail, lost devices | security line | 4400 |
| Safety, protective equipment | Health and Safety Manager | 4500 |

## Leaving feedback

In week 5 you receive a questionnaire of ten questions. The answers are read by the Head of People, who
writes back within 10 working days. About a third of this guide comes from such answers, including the
sentence about staying dry.
"""

RUNBOOK = """
## When to use this runbook

Use this runbook when the confidentiality, integrity or availability of Merrowby's information, systems or
products is harmed or about to be. Anyone may report an incident on extension 4400. Only the duty officer,
the Information Security Officer or the Head of IT may declare one and set its severity. When in doubt,
choose the higher severity: lowering it later costs nothing.

## Severity

| Severity | Meaning | Response within | Updates every |
| --- | --- | --- | --- |
| SEV1 | production stopped, firmware signing in doubt, or personal data lost | 15 minutes | 30 minutes |
| SEV2 | a site or an important system is badly affected; data may be exposed | 1 hour | 2 hours |
| SEV3 | a single system or a few people affected, with a workaround | 4 hours | once a working day |
| SEV4 | no harm yet, but a weakness or an attempt worth recording | next working day | at closing |

Response times run day and night for SEV1 and SEV2, and from 08:00 to 18:00 on working days for SEV3 and
SEV4.

## Roles

The **incident commander** decides, and does not type. For SEV1 this is the Information Security Officer,
with the Head of IT as deputy; for other severities it is the duty officer. The **technical lead** directs
the repair. The **scribe** keeps the timeline on form IS-21, with the time of every decision. The
**communications lead**, always the Head of Communications for SEV1, is the only person who speaks to
customers or the press.

The duty officer's rota changes on Mondays at 09:00. Duty earns €220 per week, and each call-out outside
working hours a further €45. After a call-out between 23:00 and 06:00 you start work 11 hours after it
ended.

## First hour

1. Open a case in the incident register and write down who reported what, and when.
2. Set the severity, and name the commander and the scribe.
3. Open the conference bridge, number 7911, and the chat channel with the case number. If chat itself is
affected, use the printed telephone list in the red folder at reception.
4. Contain: isolate the devices concerned from the network. Do not switch them off, because memory is
evidence.
5. Block the accounts concerned and end their sessions.
6. For SEV1, inform the Managing Director within 1 hour of declaring the incident.
7. Decide when the next update is due, and send the first one.

## Evidence

Copy before you repair. Images of disks and memory are taken by the technical lead, hashed with SHA-256 and
stored in the evidence safe in Tidewell, to which only the Information Security Officer and the Data
Protection Lead have keys. Every handover is signed on form IS-22. Evidence is kept for 3 years after the
case is closed.

## Playbooks

### Ransomware

Pull the network cable, leave the power on, and photograph the message. Disconnect the backup network at
switch BK-1. Treat it as SEV1 from the first device. Merrowby does not pay ransoms; only the Managing
Director may speak to an extortionist, and then through the insurer. The insurer must be told within 24
hours under policy CY-88213.

### Lost or stolen device

Lock and wipe the device within 30 minutes of the report. If it held Confidential information, treat the
case as SEV3; if it held Restricted information or was not encrypted, treat it as SEV2.

### Stolen passphrase or phishing

End all sessions, reset the passphrase and the second factor, and search the mailbox for new forwarding
rules. Look at the sign-in record of the previous 30 days. Remove the message from every other mailbox.

### Firmware signing key

If misuse of a signing key is suspected, stop all releases at once and declare SEV1. The Head of Engineering
and the Information Security Officer revoke the key together in the signing room. Product customers are told
within 48 hours, even if the investigation has not ended.

## Recovery

Snapshots are taken every hour and kept for 35 days. A full copy is written every Sunday, taken offline and
kept for 12 months. Restore in the order of this table, into a clean network segment, and let the owner
confirm before users return.

| Order | System | Back within | Data loss at most | Owner |
| --- | --- | --- | --- | --- |
| 1 | sign-in and telephones | 2 hours | 1 hour | Head of IT |
| 2 | flood-warning data service for customers | 4 hours | 15 minutes | Head of Engineering |
| 3 | production planning | 8 hours | 1 hour | production manager |
| 4 | calibration database | 24 hours | 1 hour | laboratory manager |
| 5 | finance and Countinghouse | 48 hours | 24 hours | Financial Controller |
| 6 | everything else | 5 working days | 24 hours | system owner |

## Telling others

The Data Protection Lead decides whether personal data are affected. If they are, and people could be
harmed, the supervisory authority is told within 72 hours of our becoming aware. Customers whose data are
affected are told within 48 hours of confirmation, by the communications lead. Staff receive a message on
Shoreline before anything is published outside.

## Closing and learning

The commander closes a case after 5 working days without a new sign of trouble. A review is held within 10
working days of closing for SEV1 and SEV2, and once a quarter for all SEV3 cases together. The review asks
what made the mistake easy, not who made it. Each action has one owner and a date no more than 60 days
ahead.

The runbook is rehearsed twice a year, in May and November. One of the two rehearsals starts outside working
hours without warning.
"""


@dataclass(frozen=True)
class Sheet:
    """One document: what stands above the text, and the text."""

    filename: str
    code: str
    title: str
    subtitle: str
    owner: str
    effective: str
    text: str

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        return (
            ("Document", self.code),
            ("Owner", self.owner),
            ("Effective", self.effective),
            ("Class", "Internal" if self.code != "CS-20" else "Public"),
        )


SHEETS = (
    Sheet(
        filename="health-and-safety-manual.pdf",
        code="HS-10",
        title="Health and Safety Manual",
        subtitle="For everyone who works at, for or with Merrowby",
        owner="Health and Safety Manager",
        effective="1 April 2026",
        text=SAFETY,
    ),
    Sheet(
        filename="warranty-and-returns-policy.pdf",
        code="CS-20",
        title="Warranty and Returns Policy",
        subtitle="For customers, distributors and Customer Service",
        owner="Head of Customer Service",
        effective="1 January 2026",
        text=WARRANTY,
    ),
    Sheet(
        filename="onboarding-guide.docx",
        code="HB-05",
        title="Onboarding Guide",
        subtitle="Your first six months at Merrowby",
        owner="Learning Partner",
        effective="1 February 2026",
        text=ONBOARDING,
    ),
    Sheet(
        filename="incident-response-runbook.docx",
        code="IS-31",
        title="Incident Response Runbook",
        subtitle="What to do, in which order, and who decides",
        owner="Information Security Officer",
        effective="15 March 2026",
        text=RUNBOOK,
    ),
)


# Text to blocks


@dataclass(frozen=True)
class Block:
    """A heading (one item), a paragraph (one item), a list (an item each) or a table (a row each)."""

    kind: Literal["heading", "subheading", "paragraph", "bullets", "steps", "table"]
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


LIST_MARKS: dict[Literal["bullets", "steps"], str] = {"bullets": r"- ", "steps": r"\d+\. "}


def blocks_of(text: str) -> Iterator[Block]:
    for part in re.split(r"\n\s*\n", text.strip()):
        yield block_of(part)


def block_of(part: str) -> Block:
    if part.startswith("### "):
        return Block("subheading", (part[4:],))
    if part.startswith("## "):
        return Block("heading", (part[3:],))
    if part.startswith("|"):
        return Block("table", rows=table_rows(part))
    for kind, mark in LIST_MARKS.items():
        if re.match(mark, part):
            items = re.split(rf"(?m)^{mark}", part)[1:]
            return Block(kind, tuple(joined(item) for item in items))
    return Block("paragraph", (joined(part),))


def table_rows(part: str) -> tuple[tuple[str, ...], ...]:
    lines = [line for line in part.splitlines() if not line.startswith("| ---")]
    return tuple(tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines)


def joined(lines: str) -> str:
    return " ".join(lines.split())


def column_shares(rows: tuple[tuple[str, ...], ...]) -> list[float]:
    """The part of the width for each column: by its longest cell, but neither tiny nor all of it."""
    longest = [min(max(max(len(cell) for cell in column), 14), 36) for column in zip(*rows, strict=True)]
    return [length / sum(longest) for length in longest]


# PDF

BODY = ParagraphStyle(
    "body",
    fontName="Helvetica",
    fontSize=10.5,
    leading=15.5,
    spaceAfter=8,
    textColor=HexColor("#1E272C"),
    allowWidows=0,
    allowOrphans=0,
)
CELL = ParagraphStyle("cell", parent=BODY, fontSize=9.5, leading=12.5, spaceAfter=0)
CELL_HEAD = ParagraphStyle("cellhead", parent=CELL, fontName="Helvetica-Bold", textColor=white)
HEADING = ParagraphStyle(
    "heading",
    parent=BODY,
    fontName="Helvetica-Bold",
    fontSize=14,
    leading=18,
    spaceBefore=13,
    spaceAfter=6,
    textColor=HexColor(NAVY),
    keepWithNext=1,
)
SUBHEADING = ParagraphStyle(
    "subheading",
    parent=HEADING,
    fontSize=11,
    leading=14,
    spaceBefore=7,
    spaceAfter=4,
    textColor=HexColor(TEAL),
)
MARGIN = 2.3 * cm
TEXT_WIDTH = A4[0] - 2 * MARGIN
BANNER_HEIGHT = 5.1 * cm


class HandbookTemplate(BaseDocTemplate):  # type: ignore[misc]
    """Adds each heading to the outline that PDF viewers show beside the pages."""

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802 - the library calls it by this name
        level = {"heading": 0, "subheading": 1}.get(getattr(getattr(flowable, "style", None), "name", ""))
        if level is None:
            return
        title = flowable.getPlainText()
        key = re.sub(r"\W+", "-", title)
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(title, key, level, closed=level)


def write_pdf(sheet: Sheet, path: Path) -> None:
    """Twice, because 'page 2 of 5' is known only when the last page is."""
    pages = build_pdf(sheet, pages=0, target=io.BytesIO())
    written = io.BytesIO()
    build_pdf(sheet, pages=pages, target=written)
    path.write_bytes(written.getvalue())


def build_pdf(sheet: Sheet, *, pages: int, target: io.BytesIO) -> int:
    template = HandbookTemplate(
        target,
        pagesize=A4,
        invariant=1,
        title=f"{sheet.title} ({sheet.code})",
        author=COMPANY,
        subject=sheet.subtitle,
        lang="en-GB",
    )
    template.addPageTemplates(page_templates(sheet, pages=pages))
    template.build([flowable for block in blocks_of(sheet.text) for flowable in pdf_flowables(block)])
    return int(template.page)


def page_templates(sheet: Sheet, *, pages: int) -> list[PageTemplate]:
    bottom = 2.2 * cm
    first = Frame(MARGIN, bottom, TEXT_WIDTH, A4[1] - bottom - BANNER_HEIGHT - 1.9 * cm, 0, 0, 0, 0)
    later = Frame(MARGIN, bottom, TEXT_WIDTH, A4[1] - bottom - 2.4 * cm, 0, 0, 0, 0)
    # The footer is drawn at the end of the page, so that extracted text has it there too.
    shared = {"onPageEnd": partial(draw_footer, sheet, pages), "autoNextPageTemplate": "later"}
    return [
        PageTemplate("first", [first], onPage=partial(draw_first, sheet), **shared),
        PageTemplate("later", [later], onPage=partial(draw_later, sheet), **shared),
    ]


def draw_first(sheet: Sheet, canvas: Canvas, _template: BaseDocTemplate) -> None:
    top = A4[1]
    canvas.setFillColor(HexColor(NAVY))
    canvas.rect(0, top - BANNER_HEIGHT, A4[0], BANNER_HEIGHT, stroke=0, fill=1)
    draw_mark(canvas, MARGIN, top - 1.65 * cm)
    canvas.setFillColor(white)
    canvas.setFont("Helvetica-Bold", 10)
    canvas.drawString(MARGIN + 1.15 * cm, top - 1.52 * cm, COMPANY)
    canvas.setFont("Helvetica-Bold", 25)
    canvas.drawString(MARGIN, top - 3.3 * cm, sheet.title)
    canvas.setFont("Helvetica", 11)
    canvas.drawString(MARGIN, top - 4.1 * cm, sheet.subtitle)
    draw_facts(sheet, canvas, top - BANNER_HEIGHT - 0.75 * cm)


def draw_mark(canvas: Canvas, left: float, base: float) -> None:
    """The company's mark: a gauge staff standing in water."""
    canvas.setStrokeColor(white)
    canvas.setLineWidth(1.6)
    canvas.line(left + 12, base - 2, left + 12, base + 20)
    for step in range(4):
        height = base + 5 + 4.5 * step
        canvas.line(left + 12, height, left + (19 if step % 2 else 16.5), height)
    canvas.setStrokeColor(HexColor("#6FC3D0"))
    wave = canvas.beginPath()
    wave.moveTo(left, base)
    wave.curveTo(left + 4, base + 5, left + 8, base + 5, left + 12, base)
    wave.curveTo(left + 16, base - 5, left + 20, base - 5, left + 24, base)
    canvas.drawPath(wave)


def draw_facts(sheet: Sheet, canvas: Canvas, line: float) -> None:
    for (name, value), share in zip(sheet.facts, (0, 0.2, 0.58, 0.85), strict=True):
        left = MARGIN + share * TEXT_WIDTH
        canvas.setFillColor(HexColor(GREY))
        canvas.setFont("Helvetica", 9)
        canvas.drawString(left, line, f"{name}: ")
        canvas.setFillColor(HexColor(NAVY))
        canvas.setFont("Helvetica-Bold", 9)
        canvas.drawString(left, line - 12, value)


def draw_later(sheet: Sheet, canvas: Canvas, _template: BaseDocTemplate) -> None:
    line = A4[1] - 1.5 * cm
    canvas.setFillColor(HexColor(GREY))
    canvas.setFont("Helvetica", 8.5)
    canvas.drawString(MARGIN, line, COMPANY)
    canvas.drawRightString(A4[0] - MARGIN, line, f"{sheet.title} · {sheet.code}")
    canvas.setStrokeColor(HexColor(TEAL))
    canvas.setLineWidth(0.8)
    canvas.line(MARGIN, line - 6, A4[0] - MARGIN, line - 6)


def draw_footer(sheet: Sheet, pages: int, canvas: Canvas, _template: BaseDocTemplate) -> None:
    canvas.setFillColor(HexColor(GREY))
    canvas.setFont("Helvetica", 8.5)
    canvas.drawString(MARGIN, 1.2 * cm, f"Effective {sheet.effective}")
    canvas.drawRightString(A4[0] - MARGIN, 1.2 * cm, f"Page {canvas.getPageNumber()} of {pages}")


def pdf_flowables(block: Block) -> list[Flowable]:
    if block.kind == "table":
        return [KeepTogether([Spacer(1, 3), pdf_table(block.rows), Spacer(1, 10)])]
    if block.kind in ("bullets", "steps"):
        return [pdf_list(block), Spacer(1, 5)]
    style = {"heading": HEADING, "subheading": SUBHEADING}.get(block.kind, BODY)
    return [Paragraph(pdf_markup(block.items[0]), style)]


def pdf_list(block: Block) -> ListFlowable:
    start, kind = ("•", "bullet") if block.kind == "bullets" else ("1", "1")
    style = ParagraphStyle("item", parent=BODY, spaceAfter=3)
    items = [ListItem(Paragraph(pdf_markup(item), style)) for item in block.items]
    return ListFlowable(items, bulletType=kind, start=start, leftIndent=14, bulletColor=HexColor(TEAL))


def pdf_table(rows: tuple[tuple[str, ...], ...]) -> Table:
    cells = [
        [Paragraph(pdf_markup(cell), CELL if place else CELL_HEAD) for cell in row] for place, row in enumerate(rows)
    ]
    table = Table(cells, colWidths=[share * TEXT_WIDTH for share in column_shares(rows)], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), HexColor(NAVY)),
                ("ROWBACKGROUNDS", (0, 1), (-1, -1), [white, HexColor(PALE)]),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor("#C9D6DC")),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 4.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
            ]
        )
    )
    return table


def pdf_markup(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)


# DOCX


def write_docx(sheet: Sheet, path: Path) -> None:
    document = Document()
    set_page_and_styles(document)
    set_properties(sheet, document)
    add_header_and_footer(sheet, document)
    add_title(sheet, document)
    for block in blocks_of(sheet.text):
        add_block(document, block)
    saved = io.BytesIO()
    document.save(saved)
    path.write_bytes(with_fixed_times(saved.getvalue()))


def set_page_and_styles(document: WordDocument) -> None:
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.3)
    section.top_margin, section.bottom_margin = Cm(2.4), Cm(2.2)
    set_style(document, "Normal", size=10.5, colour="#1E272C", before=0, after=7)
    set_style(document, "Title", size=26, colour=NAVY, before=0, after=2)
    set_style(document, "Subtitle", size=12, colour=GREY, before=0, after=10)
    set_style(document, "Heading 1", size=15, colour=NAVY, before=16, after=6)
    set_style(document, "Heading 2", size=12, colour=TEAL, before=10, after=4)
    for name in ("Header", "Footer"):
        set_style(document, name, size=8.5, colour=GREY, before=0, after=0)
    for name in ("List Bullet", "List Number"):
        set_style(document, name, size=10.5, colour="#1E272C", before=0, after=3)


def set_style(document: WordDocument, name: str, *, size: float, colour: str, before: float, after: float) -> None:
    style: Any = document.styles[name]
    style.font.name, style.font.size = "Calibri", Pt(size)
    style.font.italic = False
    style.font.color.rgb = RGBColor.from_string(colour.lstrip("#"))
    style.paragraph_format.space_before, style.paragraph_format.space_after = Pt(before), Pt(after)
    # A theme font named in the template would win over the plain name.
    fonts = style.element.rPr.rFonts
    for attribute in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{attribute}"), None)


def set_properties(sheet: Sheet, document: WordDocument) -> None:
    properties = document.core_properties
    properties.title, properties.subject = sheet.title, sheet.code
    properties.author = properties.last_modified_by = COMPANY
    properties.created = properties.modified = ISSUED
    properties.comments, properties.language = "", "en-GB"


def add_header_and_footer(sheet: Sheet, document: WordDocument) -> None:
    section = document.sections[0]
    section.header.paragraphs[0].text = f"{COMPANY} · {sheet.code}"
    footer = section.footer.paragraphs[0]
    footer.add_run(f"Effective {sheet.effective} · Page ")
    add_field(footer, "PAGE")
    footer.add_run(" of ")
    add_field(footer, "NUMPAGES")


def add_field(paragraph: WordParagraph, instruction: str) -> None:
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), instruction)
    run = paragraph.add_run("1")
    field.append(run._r)
    paragraph._p.append(field)


def add_title(sheet: Sheet, document: WordDocument) -> None:
    document.add_paragraph(sheet.title, style="Title")
    document.add_paragraph(sheet.subtitle, style="Subtitle")
    names, values = zip(*sheet.facts, strict=True)
    add_table(document, (names, values))


def add_block(document: WordDocument, block: Block) -> None:
    if block.kind == "table":
        add_table(document, block.rows)
    elif block.kind in ("heading", "subheading"):
        document.add_heading(block.items[0], level=1 if block.kind == "heading" else 2)
    elif block.kind == "paragraph":
        add_marked_text(document.add_paragraph(), block.items[0])
    else:
        style = "List Bullet" if block.kind == "bullets" else "List Number"
        for item in block.items:
            add_marked_text(document.add_paragraph(style=style), item)


def add_marked_text(paragraph: WordParagraph, text: str, *, bold: bool = False) -> None:
    for place, piece in enumerate(text.split("**")):
        if piece:
            paragraph.add_run(piece).bold = True if bold or place % 2 else None


def add_table(document: WordDocument, rows: tuple[tuple[str, ...], ...]) -> None:
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
    table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
    shares = column_shares(rows)
    for line, row in enumerate(rows):
        for column, text in enumerate(row):
            cell = table.cell(line, column)
            cell.width = Cm(16.4 * shares[column])
            fill_cell(cell, text, line=line)
    mark_header_row(table)
    document.add_paragraph().paragraph_format.space_after = Pt(4)


def fill_cell(cell: Any, text: str, *, line: int) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(3)
    add_marked_text(paragraph, text, bold=line == 0)
    for run in paragraph.runs:
        run.font.size = Pt(9.5)
        if line == 0:
            run.font.color.rgb = RGBColor(0xFF, 0xFF, 0xFF)
    shading = OxmlElement("w:shd")
    fill = NAVY if line == 0 else PALE if line % 2 == 0 else "#FFFFFF"
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", fill.lstrip("#"))):
        shading.set(qn(f"w:{name}"), value)
    cell._tc.get_or_add_tcPr().append(shading)


def mark_header_row(table: WordTable) -> None:
    """Word repeats the row on each page, and reads it out as the header; no row is split over two pages."""
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    for row in table.rows:
        row._tr.get_or_add_trPr().insert(0, OxmlElement("w:cantSplit"))
    borders = OxmlElement("w:tblBorders")
    for side in ("top", "left", "bottom", "right", "insideH", "insideV"):
        border = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", "C9D6DC")):
            border.set(qn(f"w:{name}"), value)
        borders.append(border)
    # The schema wants them in this place; Word refuses a file with properties out of order.
    table._tbl.tblPr.find(qn("w:tblLayout")).addprevious(borders)


def with_fixed_times(archive: bytes) -> bytes:
    """The same archive with one date on all members, since the library stamps them with the current time."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            member = zipfile.ZipInfo(name, ISSUED.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(member, source.read(name))
    return result.getvalue()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    writers = {".pdf": write_pdf, ".docx": write_docx}
    for sheet in SHEETS:
        path = folder / sheet.filename
        writers[path.suffix](sheet, path)
        sys.stdout.write(f"{path}  {path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "ragapp" / "sample")
