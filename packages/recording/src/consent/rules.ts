import type { ConsentRule } from './rule.ts';

/**
 * Consent to recording in the 50 states and the District of Columbia, as read from public pages on 2026-11-21. The law changes, and
 * this is not legal advice. The statutes are about sound and communications; rules about pictures in private places were looked for in
 * Georgia only.
 */
export const recordingConsentRules: readonly ConsentRule[] = [
  {
    jurisdiction: 'US-AL',
    rule: 'one_party',
    citation: 'Ala. Code § 13A-11-30',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/',
  },
  {
    jurisdiction: 'US-AK',
    rule: 'one_party',
    citation: 'Alaska Stat. § 42.20.310(a)(1)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-AZ',
    rule: 'one_party',
    citation: 'Ariz. Rev. Stat. § 13-3005(A)(1)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-AR',
    rule: 'one_party',
    citation: 'Ark. Code § 5-60-120',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/',
  },
  {
    jurisdiction: 'US-CA',
    rule: 'all_party',
    citation: 'Cal. Penal Code § 632(a), (c); § 632.7 for cellular and cordless calls (not read)',
    confidence: 'primary-seen',
    source: 'https://self-law.org/code/ca/penal-code/632 (statute text)',
    note: 'Reaches confidential communications, in person and by any device but radio. Someone whom all know to be recording is outside it.',
  },
  {
    jurisdiction: 'US-CO',
    rule: 'one_party',
    citation: 'Colo. Rev. Stat. § 18-9-303(1)(a)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-CT',
    rule: 'mixed_treat_as_all_party',
    citation:
      'Conn. Gen. Stat. § 52-570d(a) (civil, private telephone calls); §§ 53a-187(a)(2), 53a-189 (criminal, one-party)',
    confidence: 'primary-seen',
    source: 'https://lawserver.com/law/state/connecticut/ct-laws/connecticut_statutes_52-570d (statute text)',
    note: 'The civil statute on telephone calls takes consent of all, a recorded notice at the start, or a repeated tone; the criminal one is one-party. Whether a video call is telephonic was not settled.',
  },
  {
    jurisdiction: 'US-DE',
    rule: 'mixed_treat_as_all_party',
    citation: '11 Del. C. § 1335(a)(4) (all-party, misdemeanour) against § 2402(c)(4) (one-party, wiretap act)',
    confidence: 'secondary-seen',
    source:
      'https://www.rcfp.org/reporters-recording-guide/delaware/ ; https://wiretapping.uslegal.com/state-laws/delaware/ ; a table of quoted statutes (2026-07-28)',
    note: 'Two statutes in force contradict each other; a federal court let a participant record (United States v. Vespe, 1975).',
  },
  {
    jurisdiction: 'US-DC',
    rule: 'one_party',
    citation: 'D.C. Code § 23-542(b)(3)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-FL',
    rule: 'all_party',
    citation: 'Fla. Stat. § 934.03(2)(d) (exception), (1) (offence)',
    confidence: 'secondary-seen',
    source:
      'http://www.leg.state.fl.us/statutes/index.cfm?App_mode=Display_Statute&URL=0900-0999/0934/Sections/0934.03.html (2024 text, offence read; (2)(d) read as a quotation in the a table of quoted statutes (2026-07-28))',
    note: 'Prior consent of all parties, for wire, spoken and electronic communications alike.',
  },
  {
    jurisdiction: 'US-GA',
    rule: 'mixed_treat_as_all_party',
    citation:
      'O.C.G.A. § 16-11-66(a) (audio: one-party); § 16-11-62(2) (recording the activities of another in a private place, out of public view: consent of all persons observed)',
    confidence: 'primary-seen',
    source:
      'https://law.justia.com/codes/georgia/2020/title-16/chapter-11/article-3/part-1/section-16-11-62/ (statute text of 16-11-62); https://www.rcfp.org/reporters-recording-guide/state-state-guide/georgia (2012; 16-11-66 and Gavin v. State, 664 S.E.2d 797 (Ga. Ct. App. 2008): all parties for video in private circumstances)',
    note: 'Sound alone is one-party. A picture of what others do in a private place needs the consent of everyone observed, and a video visit is one.',
  },
  {
    jurisdiction: 'US-HI',
    rule: 'mixed_treat_as_all_party',
    citation:
      'HRS § 803-42(b)(3)(A) (one-party); HRS § 711-1111 (device installed in a private place: consent of those entitled to privacy there)',
    confidence: 'secondary-seen',
    source:
      'http://angelgroup.org/articles/575-a-little-more-re-recording-laws-in-hawaii ; https://legalclarity.org/is-hawaii-a-two-party-consent-state ; a table of quoted statutes (2026-07-28)',
    note: 'A call is one-party; a device installed in a private place needs those entitled to privacy there.',
  },
  {
    jurisdiction: 'US-ID',
    rule: 'one_party',
    citation: 'Idaho Code § 18-6702(2)(d)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-IL',
    rule: 'all_party',
    citation: '720 ILCS 5/14-2(a)(1)-(3), definitions 5/14-1 (as re-enacted by P.A. 98-1142)',
    confidence: 'secondary-seen',
    source:
      'https://www.ilga.gov/legislation/publicacts/98/098-1142.htm (definitions read); https://www.payonklaw.com/crimes-against-persons/illinois-eavsdropping ; a table of quoted statutes (2026-07-28)',
    note: 'Reaches secret recording of private conversations and electronic communications; an announced one is not secret.',
  },
  {
    jurisdiction: 'US-IN',
    rule: 'one_party',
    citation: 'Ind. Code art. 35-33.5',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/',
  },
  {
    jurisdiction: 'US-IA',
    rule: 'one_party',
    citation: 'Iowa Code § 808B.2(2)(c)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-KS',
    rule: 'one_party',
    citation: 'Kan. Stat. Ann. § 21-6101(a)(1)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-KY',
    rule: 'one_party',
    citation: 'Ky. Rev. Stat. § 526.010',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-LA',
    rule: 'one_party',
    citation: 'La. Rev. Stat. § 15:1303(C)(4)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-ME',
    rule: 'one_party',
    citation: '15 M.R.S. § 709(4)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-MD',
    rule: 'all_party',
    citation: 'Md. Code, Cts. & Jud. Proc. § 10-402(c)(3)',
    confidence: 'secondary-seen',
    source:
      'https://law.justia.com/codes/maryland/courts-and-judicial-proceedings/title-10/subtitle-4/section-10-402/ (as quoted); a table of quoted statutes (2026-07-28)',
    note: 'The recorder must be a party, and all parties must have consented before.',
  },
  {
    jurisdiction: 'US-MA',
    rule: 'all_party',
    citation: 'Mass. Gen. Laws ch. 272, § 99(B)(4), (C)(1)',
    confidence: 'secondary-seen',
    source:
      'https://www.malawforum.com/content/secretly-recording-conversation-massachusetts (quoted); http://masscases.com/cases/app/103/103massappct469.html ; a table of quoted statutes (2026-07-28)',
    note: 'Turns on secrecy: what everyone knows of is no interception. Pictures taken with sound were treated alike (103 Mass. App. Ct. 469).',
  },
  {
    jurisdiction: 'US-MI',
    rule: 'mixed_treat_as_all_party',
    citation: 'MCL 750.539c, definition 750.539a(2); Sullivan v. Gray, 117 Mich. App. 476 (1982)',
    confidence: 'primary-seen',
    source: 'http://casetext.com/case/sullivan-v-gray (opinion quoting the statute); https://altiorlaw.com/?p=6480',
    note: 'The words ask for all parties; the Court of Appeals lets a participant record. A platform that records for the participants is not plainly one.',
  },
  {
    jurisdiction: 'US-MN',
    rule: 'one_party',
    citation: 'Minn. Stat. § 626A.02 subd. 2(d)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-MS',
    rule: 'one_party',
    citation: 'Miss. Code § 41-29-531',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/',
  },
  {
    jurisdiction: 'US-MO',
    rule: 'mixed_treat_as_all_party',
    citation:
      'Mo. Rev. Stat. § 542.402.2(3) (wire: one-party), § 542.402.1(2) (oral, by a device that transmits by radio)',
    confidence: 'secondary-seen',
    source:
      'https://www.rcfp.org/reporters-recording-guide/missouri/ ; http://www.dmlp.org/legal-guide/missouri-recording-law ; a table of quoted statutes (2026-07-28)',
    note: 'Calls are one-party; on conversations in person the guides differ.',
  },
  {
    jurisdiction: 'US-MT',
    rule: 'all_party',
    citation: 'Mont. Code Ann. § 45-8-213(1)(c), exceptions (2)(a)',
    confidence: 'secondary-seen',
    source:
      'https://www.rcfp.org/reporters-recording-guide/montana/ ; https://www.rmcattorneys.com/post/recording-without-consent (quoted); a table of quoted statutes (2026-07-28)',
    note: 'Turns on knowledge and a hidden device: a warning by one person is enough.',
  },
  {
    jurisdiction: 'US-NE',
    rule: 'one_party',
    citation: 'Neb. Rev. Stat. § 86-290(2)(c)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-NV',
    rule: 'all_party',
    citation:
      'NRS 200.620(1) (wire); NRS 200.650 (in person, one-party); Lane v. Allstate, 114 Nev. 1176, 969 P.2d 938 (1998)',
    confidence: 'primary-seen',
    source:
      'https://getpocketlaw.com/law/state_nevada/section-200-620-interception-and-attempted-interception-of-wire-communication-prohibited-exceptions_06e02e56d2ac (statute text of 200.620); https://www.rcfp.org/reporters-recording-guide/nevada/',
    note: 'Calls need everyone; a private conversation in person needs one. Lane v. Allstate is why the wire statute reads so.',
  },
  {
    jurisdiction: 'US-NH',
    rule: 'all_party',
    citation: 'N.H. Rev. Stat. Ann. § 570-A:2(I); definitions § 570-A:1',
    confidence: 'primary-seen',
    source:
      'https://law.justia.com/codes/new-hampshire/2017/title-lviii/chapter-570-a/section-570-a-2 (statute text); definitions http://www.gencourt.state.nh.us/rsa/html/lviii/570-a/570-a-mrg.htm',
    note: 'Consent of all, for telecommunications and spoken ones; one party consenting makes the offence lesser, not lawful.',
  },
  {
    jurisdiction: 'US-NJ',
    rule: 'one_party',
    citation: 'N.J.S.A. 2A:156A-4',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/',
  },
  {
    jurisdiction: 'US-NM',
    rule: 'one_party',
    citation: 'NMSA § 30-12-1',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/',
  },
  {
    jurisdiction: 'US-NY',
    rule: 'one_party',
    citation: 'N.Y. Penal Law §§ 250.00(1), 250.05',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-NC',
    rule: 'one_party',
    citation: 'N.C. Gen. Stat. § 15A-287(a)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-ND',
    rule: 'one_party',
    citation: 'N.D. Cent. Code § 12.1-15-02(3)(c)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-OH',
    rule: 'one_party',
    citation: 'Ohio Rev. Code § 2933.52(B)(4)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-OK',
    rule: 'one_party',
    citation: '13 Okla. Stat. § 176.4(5)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-OR',
    rule: 'mixed_treat_as_all_party',
    citation:
      'ORS 165.540(1)(a) (telecommunication: one participant), (1)(c) (conversation: all specifically informed); definitions 165.535',
    confidence: 'primary-seen',
    source:
      'https://oregon.public.law/statutes/ors_165.540 (statute text); https://www.rcfp.org/reporters-recording-guide/oregon/',
    note: 'Calls need one participant; in person all must be specifically informed. What holds for video conferences could not be verified.',
  },
  {
    jurisdiction: 'US-PA',
    rule: 'all_party',
    citation: '18 Pa.C.S. § 5703 (offence), § 5704(4) (exception)',
    confidence: 'secondary-seen',
    source:
      'https://sites.law.duq.edu/juris/?p=12675 (5703 quoted); a table of quoted statutes (2026-07-28); copies of 5704 read only up to paragraph (2)',
    note: 'Prior consent of all parties, for wire, electronic and spoken communications.',
  },
  {
    jurisdiction: 'US-RI',
    rule: 'one_party',
    citation: 'R.I. Gen. Laws § 11-35-21(c)(3)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-SC',
    rule: 'one_party',
    citation: 'S.C. Code § 17-30-30(C)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-SD',
    rule: 'one_party',
    citation: 'S.D. Codified Laws § 23A-35A-20(1)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-TN',
    rule: 'one_party',
    citation: 'Tenn. Code § 39-13-601',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/',
  },
  {
    jurisdiction: 'US-TX',
    rule: 'one_party',
    citation: 'Tex. Penal Code § 16.02(c)(4)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-UT',
    rule: 'one_party',
    citation: 'Utah Code § 77-23a-4(7)(b)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-VT',
    rule: 'mixed_treat_as_all_party',
    citation: 'No statute found; 18 U.S.C. § 2511(2)(d) governs; State v. Geraw, 173 Vt. 350, 795 A.2d 1219 (2002)',
    confidence: 'secondary-seen',
    source:
      'https://www.rcfp.org/reporters-recording-guide/vermont/ ; https://www.studicata.com/case-briefs/case/state-v-geraw',
    note: 'No statute was found, so the federal one-party rule governs. Followed as all-party out of caution, since a patient is usually at home (State v. Geraw).',
  },
  {
    jurisdiction: 'US-VA',
    rule: 'one_party',
    citation: 'Va. Code § 19.2-62(B)(2)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-WA',
    rule: 'all_party',
    citation: 'RCW 9.73.030(1)(a), (1)(b), (3)',
    confidence: 'primary-seen',
    source:
      'https://wa-law.org/rcw/09_crimes_and_punishments/9.073_privacy_violating_right_of.html (statute text); (3) read as a quotation in the a table of quoted statutes (2026-07-28)',
    note: 'Consent counts as given when one party announces the recording to all and the announcement is recorded. Reaches communications into and out of the state.',
  },
  {
    jurisdiction: 'US-WV',
    rule: 'one_party',
    citation: 'W. Va. Code § 62-1D-3(e)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-WI',
    rule: 'one_party',
    citation: 'Wis. Stat. § 968.31(2)(c)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
  {
    jurisdiction: 'US-WY',
    rule: 'one_party',
    citation: 'Wyo. Stat. § 7-3-702(b)(iv)',
    confidence: 'secondary-seen',
    source: 'https://recordphonecall.com/resources/one-party-vs-all-party/ ; a table of quoted statutes (2026-07-28)',
  },
];
