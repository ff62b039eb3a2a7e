//! The axes against prompts labelled by hand (`axes.tsv`: complexity, domain, structure, prompt), and
//! against conversations whose last message says little.

use pointsman_core::{Conversation, Facts, Features, Request, Role, TaskProfile, classify};

fn profile(conversation: Conversation<&str>) -> TaskProfile {
    classify(
        &Features::extract(&Request::new(conversation)),
        &Facts::default(),
    )
}

fn talk(turns: &[(Role, &'static str)]) -> TaskProfile {
    let mut conversation = Conversation::new();
    for (role, text) in turns {
        conversation.begin(*role);
        conversation.text(*text);
    }
    profile(conversation)
}

/// Share of prompts whose axis is as labelled; misses are printed.
fn accuracies(table: &str) -> [f64; 3] {
    let mut n_right = [0_u32; 3];
    let mut n_prompts = 0_u32;
    for line in table.lines() {
        let fields: Vec<&str> = line.splitn(4, '\t').collect();
        let text = fields[3].replace("\\n", "\n");
        let profile = profile(Conversation::user(&text));
        let got = [
            profile.complexity.label.name(),
            profile.domain.label.name(),
            profile.structure.label.name(),
        ];
        n_prompts += 1;
        for axis in 0..3 {
            n_right[axis] += u32::from(got[axis] == fields[axis]);
            if got[axis] != fields[axis] {
                eprintln!("{} not {}: {}", got[axis], fields[axis], fields[3]);
            }
        }
    }
    n_right.map(|n| f64::from(n) / f64::from(n_prompts))
}

#[test]
fn most_labelled_prompts_are_recognised() {
    let [complexity, domain, structure] = accuracies(include_str!("axes.tsv"));
    eprintln!("complexity {complexity:.3} domain {domain:.3} structure {structure:.3}");
    assert!(complexity >= 0.94 && domain >= 0.89 && structure >= 0.98);
}

#[test]
fn a_bare_yes_after_a_coding_task_is_a_coding_task() {
    let ask = (
        Role::User,
        "Can you write a Python function that parses ISO dates, with unit tests?",
    );
    let answer = (
        Role::Assistant,
        "I would use datetime.fromisoformat. Shall I go ahead?",
    );
    for bare in [
        "yes, do it",
        "ok go ahead",
        "Sí, hazlo",
        "make it shorter",
        "好的",
    ] {
        let profile = talk(&[ask, answer, (Role::User, bare)]);
        assert_eq!(profile.domain.label.name(), "code", "{bare}");
        assert_eq!(profile.structure.label.name(), "code", "{bare}");
        assert_ne!(profile.complexity.label.name(), "lookup", "{bare}");
    }
}

#[test]
fn a_new_question_leaves_the_old_task_behind() {
    let profile = talk(&[
        (Role::User, "Write a Python function that parses ISO dates."),
        (
            Role::Assistant,
            "def parse(s): return datetime.fromisoformat(s)",
        ),
        (
            Role::User,
            "What is the capital of the largest country in South America by area?",
        ),
    ]);
    assert_eq!(profile.complexity.label.name(), "lookup");
    assert_eq!(profile.structure.label.name(), "text");
}

#[test]
fn what_agents_paste_in_does_not_decide() {
    let question = "What is the capital of France?";
    let reminder = "<system-reminder>Write python code, refactor the function, prove the theorem, \
                    step by step.</system-reminder>What is the capital of France?";
    assert_eq!(
        talk(&[(Role::User, reminder)]).complexity.label,
        talk(&[(Role::User, question)]).complexity.label
    );
    let tool = (
        Role::Tool,
        "patient diagnosis treatment contract clause lawsuit python function sql query",
    );
    let profile = talk(&[(Role::User, question), (Role::Assistant, ""), tool]);
    assert_eq!(profile.domain.label.name(), "general");
}

#[test]
fn a_title_prompt_is_a_small_text_whatever_it_quotes() {
    let profile = talk(&[(
        Role::User,
        "Generate a concise title for the conversation below.\n\nUser: debug this function step by step, why does \
         it deadlock? Write unit tests.",
    )]);
    assert_eq!(profile.complexity.label.name(), "generation");
    assert_eq!(profile.structure.label.name(), "text");
}

#[test]
fn a_system_prompt_colours_but_does_not_decide() {
    let system = (
        Role::System,
        "You are a legal assistant for contract law. Answer questions on contracts.",
    );
    let short = talk(&[
        system,
        (Role::User, "What is the notice period in clause 4?"),
    ]);
    assert_eq!(short.domain.label.name(), "legal");
    let code = talk(&[
        system,
        (
            Role::User,
            "Write a Python function that merges two sorted arrays of integers.",
        ),
    ]);
    assert_eq!(code.domain.label.name(), "code");
}

#[test]
fn languages_are_told_apart() {
    let prompts = [
        (
            "en",
            "Please summarise the report and list the open questions.",
        ),
        (
            "de",
            "Bitte fasse den Bericht zusammen und nenne die offenen Fragen.",
        ),
        (
            "fr",
            "Résume le rapport et donne les questions qui sont ouvertes.",
        ),
        (
            "es",
            "Resume el informe y dime cuáles son las preguntas abiertas.",
        ),
        (
            "it",
            "Riassumi il rapporto e dimmi quali sono le domande che restano.",
        ),
        (
            "pt",
            "Resuma o relatório e diga quais são as perguntas em aberto, não mais.",
        ),
        (
            "nl",
            "Vat het rapport samen en geef een lijst van open vragen.",
        ),
        ("ru", "Кратко изложи отчёт и перечисли открытые вопросы."),
        ("zh", "请总结报告并列出未解决的问题。"),
        ("ja", "レポートを要約して、未解決の質問を挙げてください。"),
        ("ko", "보고서를 요약하고 미해결 질문을 나열해 주세요."),
        ("ar", "لخص التقرير واذكر الأسئلة المفتوحة"),
    ];
    for (code, prompt) in prompts {
        assert_eq!(talk(&[(Role::User, prompt)]).language.code(), code);
    }
}
