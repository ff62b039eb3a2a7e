//! The cue words: what they hint at, and how strongly. Chosen by hand; weights are in cues.

/// What a cue word hints at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cue {
    // Complexity.
    Lookup,
    Write,
    Reason,
    // Domain, in the order of `Domain`.
    Code,
    Math,
    Legal,
    Medical,
    Finance,
    Science,
    // Structure.
    AsJson,
    AsSql,
    AsCode,
    AsLabel,
    AsText,
    Choice,
    // Marks of notation.
    CodeMark,
    SqlMark,
    LatexMark,
    JsonMark,
    NumberWord,
    // Flow of the conversation.
    Batch,
    Affirm,
    Refer,
    Title,
    Fence,
    ReminderOpen,
    ReminderClose,
    // Languages of the Latin script, in the order of `features::LATIN`.
    En,
    Es,
    Fr,
    De,
    It,
    Pt,
    Nl,
}

pub(crate) const N_CUES: usize = Cue::Nl as usize + 1;

/// What the stems of `data/axes/stems.txt` tell: domains first, then what is asked for.
pub(crate) const THEMES: [&str; 18] = [
    "Code",
    "Math",
    "Legal",
    "Medical",
    "Finance",
    "Science",
    "Everyday",
    "Explain",
    "Summarise",
    "Translate",
    "Draft",
    "Extract",
    "Classify",
    "Compute",
    "Diagnose",
    "Advise",
    "AskJson",
    "Bulk",
];
/// How many of them are domains.
pub(crate) const N_DOMAIN_THEMES: usize = 7;
pub(crate) const N_THEMES: usize = THEMES.len();

/// What must surround a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// No letter or digit.
    Word,
    /// Anything.
    Any,
}

use Cue::{
    Affirm, AsCode, AsJson, AsLabel, AsSql, AsText, Batch, Choice, Code, CodeMark, De, En, Es,
    Fence, Finance, Fr, It, JsonMark, LatexMark, Legal, Lookup, Math, Medical, Nl, NumberWord, Pt,
    Reason, Refer, ReminderClose, ReminderOpen, Science, SqlMark, Title, Write,
};
use Edge::{Any, Word};

/// (cue, edge, weight, patterns separated by `|`), all in lower case.
#[rustfmt::skip]
pub(crate) const LEXICON: &[(Cue, Edge, f32, &str)] = &[
    // Lookup: one fact, one extraction, one label.
    (Lookup, Word, 1.0, "what is the|what's the|what is a|what are the|what does|what was|who is|who was|who wrote|who invented|who painted|when did|when was|when is|where is|where was|which country|which year|what year|what time|capital of|how old|how tall|how far|how do you say|how do you spell|stand for|stands for|define|definition of|meaning of|synonym|antonym|abbreviation|acronym|population of|name of|name the|list the|extract|find the date|identify the|look up|pull out|return the|convert|spell|plural of|past tense|opposite of|birthday|phone number|email address|how many days|how many people|what color|what colour"),
    (Lookup, Word, 1.0, "qué es|cuál es|quién es|cuándo|dónde|extrae|qu'est-ce que|quel est|quelle est|qui est|quand|où est|was ist|wer ist|wann|wo ist|wie heißt|extrahiere|cos'è|qual è|chi è|o que é|qual é|quem é|wat is|wie is|что такое|кто такой|когда|где находится|сколько"),
    (Lookup, Any, 1.0, "是什么|是谁|什么时候|在哪里|多少|とは|いつ|どこ|だれ|무엇|언제|어디|ما هو|क्या है"),
    (Lookup, Word, 1.2, "classify|categorize|categorise|label the|tag the|detect the language|sentiment|spam|yes or no|true or false"),
    // Writing and transforming.
    (Write, Word, 1.0, "write|draft|compose|create|generate|rewrite|rephrase|paraphrase|summarize|summarise|summary|tl;dr|translate|proofread|edit|essay|story|poem|haiku|limerick|lyrics|blog post|article|email|letter|tweet|caption|slogan|tagline|headline|speech|script|cover letter|bio|press release|newsletter|product description|brainstorm|suggest|ideas for|come up with|describe|outline|improve|polish|shorten|expand|simplify|make it shorter|make this|turn this|convert this|reformat|implement|add a|build|code up|role-play|roleplay|pretend|imagine|recipe|itinerary|explain|tell me about|give me an overview|introduce|fix the grammar|fix grammar|format this|joke|hi there|hello|hey|how are you|tell me|thank you note|give me ideas|help me write|write me|how to prepare"),
    (Write, Word, 1.0, "escribe|redacta|resume|resumen|traduce|explica|crea|écris|rédige|résume|traduis|explique|crée|schreibe|schreib|verfasse|fasse|zusammenfassung|übersetze|erkläre|erstelle|scrivi|riassumi|traduci|spiega|crea|escreva|resuma|traduza|explique|crie|schrijf|vertaal|vat samen|leg uit|напиши|составь|переведи|перепиши|объясни|сочини|кратко изложи"),
    (Write, Any, 1.0, "写一|翻译|总结|解释|改写|生成|書いて|翻訳|要約|説明して|써줘|작성|번역|요약|설명해|اكتب|ترجم|लिखो|लिखिए|अनुवाद"),
    // Several dependent steps.
    (Reason, Word, 1.3, "step by step|step-by-step|prove|proof|prove that|show that|derive|derivation|deduce|root cause|trade-off|tradeoff|trade-offs|pros and cons|think carefully|reason through|reasoning|work out|justify|counterexample|optimal|optimize|optimise|time complexity|race condition|deadlock|memory leak|stack trace|debug|diagnose|why does|why is my|why do|why did|why would|find the bug|what's wrong|what is wrong|figure out|troubleshoot|architecture|design a system|system design|migration plan|strategy|plan a|plan for|evaluate|assess|critique|compare|contrast|analyze|analyse|analysis|implications|if and only if|what would happen|how would you|puzzle|riddle|logic puzzle|scenario|hypothesis|solve|calculate|compute|how many ways|probability that|expected value|maximize|minimize|maximise|minimise|differential diagnosis|argue whether|argue that|to what extent|reconcile|refactor|multi-step|schedule|allocate|feasible|infer|simulate|estimate|integral|find all|determine whether|determine the|which of the two|break-even|investigate|walk me through|in detail|plan the|with risks|dependencies|show all steps|show your work|all steps|should i|which is better|is it better|better for me|what are the risks|likely cause|likely causes|second-order|failure mode|bottleneck|work through|next steps|consequences of|altogether|half as many|how many more|how long until|how long will|when do they|who owns|in which order|constraint|constraints|decide on|decide whether|which is cheaper|which is faster|argue both|would have happened|had never|does it follow|year-old|presents with|was started on|going through|so that it avoids|explain plan|root-cause|how much does|how much did|how much will"),
    (Reason, Word, 1.3, "paso a paso|demuestra|analiza|compara|calcula|resuelve|por qué|étape par étape|démontre|analyse|compare|calcule|résous|pourquoi|schritt für schritt|beweise|analysiere|vergleiche|berechne|löse|warum|passo dopo passo|dimostra|analizza|confronta|risolvi|perché|passo a passo|prove que|analise|resolva|por que|stap voor stap|bewijs|analyseer|vergelijk|waarom|шаг за шагом|докажи|проанализируй|сравни|вычисли|реши|почему"),
    (Reason, Any, 1.3, "一步一步|证明|分析|比较|计算|求解|为什么|ステップ|証明|分析して|比較|計算|なぜ|단계별|증명|분석|비교|계산|왜"),
    // Code.
    (Code, Word, 1.0, "python|javascript|typescript|java|rust|golang|c++|c#|kotlin|swift|ruby|php|bash|shell script|powershell|html|css|react|vue|angular|django|flask|fastapi|node.js|nodejs|npm|pip|cargo|docker|dockerfile|kubernetes|k8s|git|github|gitlab|merge conflict|pull request|commit|regex|regexp|regular expression|function|method|class|variable|arrays|pointer|struct|enum|interface|generics|decorator|async|await|thread|mutex|compiler|compile|syntax error|exception|traceback|stack trace|segfault|null pointer|api|rest api|graphql|endpoint|backend|frontend|unit test|pytest|junit|ci pipeline|terraform|ansible|linux|sudo|ssh|nginx|redis|kafka|codebase|source code|url shortener|requests per second|load balancer|cache invalidation|distributed system|microservice|latency p99|p99|connection pooling|deploy|deployment pipeline|devops|flexbox|div|stash|http status|status code|port|binary search|hash table|sorting|software|debugging|server|client library|sdk|webhook|oauth|jwt|tcp|dns|list.sort()|selector|this code|my code|the code|coding|algorithm|data structure|linked list|binary tree|hash map|hashmap|recursion|loop|lambda|framework|library|package|dependency|repo|repository|refactor|debugger|bug|leetcode|script|programming|pandas|numpy|pytorch|tensorflow|json parser|yaml|cron|websocket|localhost|middleware|orm"),
    (Code, Word, 1.0, "sql|postgres|postgresql|mysql|sqlite|mongodb|query|database|schema|foreign key|primary key|left join|inner join|index on|stored procedure|datenbank|base de datos|base de données"),
    (Code, Word, 1.0, "código|función|programa|fonction|funktion|programm|funzione|código|função|код|функция|функцию|скрипт|программу"),
    (Code, Any, 1.0, "代码|函数|编程|コード|関数|코드|함수"),
    // Mathematics.
    (Math, Word, 1.2, "equation|integral|derivative|differentiate|integrate|matrix|matrices|eigenvalue|eigenvector|polynomial|theorem|lemma|prove that|prime number|prime|modulo|mod|factorial|permutation|combination|probability|expected value|standard deviation|variance|geometry|triangle|circle|radius|hypotenuse|perimeter|angle|algebra|calculus|trigonometry|sine|cosine|logarithm|square root|quadratic|fraction|decimal|arithmetic|sum of|product of|divisible|remainder|integer|integers|rational|irrational|real number|complex number|vector space|linear algebra|topology|group theory|isomorphism|bijection|converges|diverges|limit of|series|solve for x|math|mathematics|maths|percent of|divided by|multiplied by|greatest common divisor|least common multiple|dice|coin flip|how many ways|half as many|twice as many|times as many|altogether|how many more|km/h|mph|per hour|how long until|primzahlen|each day|each week|square feet|how many are left|how much change|do they meet|average speed|nombre|nombres|impair|pair|divisor|odd number|even number|percentage of|sum to|add up"),
    (Math, Word, 1.2, "ecuación|matemáticas|équation|mathématiques|dérivée|intégrale|gleichung|ableitung|wahrscheinlichkeit|equazione|matematica|equação|matemática|vergelijking|уравнение|интеграл|производную|вероятность"),
    (Math, Any, 1.2, "方程|积分|数学|導関数|方程式|방정식|수학|√|∫|∑|≤|≥"),
    // Law.
    (Legal, Word, 1.2, "contract|clause|lease|tenant|landlord|plaintiff|defendant|lawsuit|litigation|attorney|lawyer|legal|legally|court|judge|statute|statutory|regulation|gdpr|ccpa|hipaa|copyright|trademark|patent|liability|liable|indemnify|indemnification|indemnity|breach|negligence|tort|nda|non-disclosure|non-compete|terms of service|privacy policy|jurisdiction|arbitration|constitutional|amendment|precedent|felony|misdemeanor|eviction|custody|divorce|will and testament|power of attorney|sue|suing|damages|injunction|testimony|fair use|intellectual property|employment law|severance|governing law|force majeure|warranties|case law|supreme court|due process|probate|subpoena|licensee|licensor"),
    (Legal, Word, 1.2, "contrato|cláusula|abogado|demanda|ley|contrat|avocat|tribunal|juridique|loi|vertrag|klausel|anwalt|gesetz|gericht|mietvertrag|kündigung|contratto|avvocato|legge|advogado|lei|huurovereenkomst|договор|закон|суд|юрист|адвокат"),
    (Legal, Any, 1.2, "合同|法律|律师|契約|弁護士|법률|계약"),
    // Medicine.
    (Medical, Word, 1.2, "patient|symptom|diagnosis|diagnose a patient|differential diagnosis|disease|treatment|dose|dosage|mg|prescription|prescribe|medication|drug interaction|side effect|antibiotic|ibuprofen|acetaminophen|paracetamol|aspirin|metformin|insulin|diabetes|diabetic|hypertension|blood pressure|cholesterol|cancer|tumor|tumour|chemotherapy|radiology|x-ray|mri|ct scan|surgery|surgeon|physician|doctor|nurse|clinical|clinic|hospital|vaccine|vaccination|infection|fever|headache|migraine|cough|rash|chest pain|shortness of breath|nausea|asthma|allergy|allergic|pregnant|pregnancy|pediatric|cardiac|cardiovascular|kidney|renal|liver|hepatic|anemia|thyroid|depression|anxiety|adhd|psychiatric|therapy|icd-10|ehr|ecg|ekg|stroke|pneumonia|contraindication|contraindicated|medical|medicine|health condition|biopsy|warfarin|statin|lisinopril"),
    (Medical, Word, 1.2, "paciente|síntoma|enfermedad|médico|fiebre|patient|symptôme|maladie|médecin|fièvre|patientin|symptome|krankheit|arzt|fieber|kopfschmerzen|paziente|sintomo|malattia|medico|febbre|doença|sintomas|ziekte|koorts|пациент|симптом|симптомы|болезнь|врач|лечение|температура"),
    (Medical, Any, 1.2, "症状|疾病|医生|治疗|患者|病気|治療|증상|환자|치료"),
    // Money.
    (Finance, Word, 1.2, "invoice|revenue|profit|loss|balance sheet|income statement|cash flow|ebitda|earnings|stock|stocks|shares|dividend|bond|yield|portfolio|etf|mutual fund|index fund|401k|ira|roth|pension|mortgage|interest rate|loan|apr|credit card|credit score|debt|tax|taxes|vat|deduction|depreciation|amortization|accounting|accountant|ledger|accounts payable|accounts receivable|budget|inflation|gdp|federal reserve|monetary|valuation|dcf|discounted cash flow|npv|irr|roi|venture capital|startup funding|ipo|hedge|options trading|call option|put option|futures|forex|exchange rate|bitcoin|crypto|investment|invest|investor|fiscal|quarterly|q1|q2|q3|q4|10-k|gross margin|net income|payroll|expense|reimbursement|bank|banking|market cap|p/e ratio|compound interest|savings account|sharpe ratio|volatility|finance|financial|transaction|refinance|refinancing|paycheck|salary negotiation|interest|cash flows|discount rate|ticker|stock price|equity|shareholder|assets|liabilities"),
    (Finance, Word, 1.2, "factura|impuesto|acciones|inversión|préstamo|banco|facture|impôt|bourse|investissement|prêt|banque|rechnung|steuer|steuern|aktie|aktien|zinsen|kredit|fattura|tasse|azioni|fatura|imposto|ações|investimento|belasting|hypotheek|счёт|налог|налоги|акции|инвестиции|кредит"),
    (Finance, Any, 1.2, "股票|投资|税|发票|利率|投資|株|税金|주식|투자|세금"),
    // Natural science.
    (Science, Word, 1.2, "physics|quantum|relativity|photon|electron|proton|neutron|atom|atomic|molecule|molecular|chemistry|chemical|reaction|enzyme|protein|dna|rna|gene|genes|genetic|genome|crispr|cell|mitochondria|photosynthesis|evolution|natural selection|species|ecosystem|biology|bacteria|virus|thermodynamics|entropy|energy|kinetic|velocity|acceleration|force|gravity|gravitational|momentum|newton|voltage|current|resistor|circuit|electromagnetic|magnetic|wavelength|frequency|spectrum|planet|star|galaxy|black hole|astronomy|astrophysics|orbit|telescope|geology|tectonic|volcano|climate|atmosphere|carbon dioxide|greenhouse|ph|acid|base|catalyst|oxidation|periodic table|boiling point|melting point|isotope|radioactive|half-life|experiment|hypothesis|laboratory|peer-reviewed|scientific|science|neuron|superconductor|semiconductor|stoichiometry|mole|moles|titration|osmosis|mitosis|meiosis|speed of light|plate tectonics|nuclear|moon|sun|mars|earth|jupiter|solar system|laser|telescope|magnetic field|temperature|density|m/s|trajectory|projectile|wave|kinetics|organism|immune system|vaccine efficacy|fossil|dinosaur"),
    (Science, Word, 1.2, "física|química|biología|fotosíntesis|célula|physique|chimie|biologie|photosynthèse|physik|chemie|biologie|photosynthese|fisica|chimica|biologia|natuurkunde|scheikunde|физика|химия|биология|фотосинтез|атом"),
    (Science, Any, 1.2, "物理|化学|生物|光合|量子|물리|화학|생물"),
    // Shape of the answer.
    (AsJson, Word, 1.5, "as json|in json|json object|json array|valid json|json format|json schema|return json|output json|json output|to json|json with|jsonl|json only|only json|raw json|im json-format|als json|en json|en formato json|au format json|in formato json|em json|в формате json|в json|json"),
    (AsJson, Any, 1.5, "json格式|json形式|json으로"),
    (AsSql, Word, 1.3, "sql query|sql statement|write sql|in sql|sql to|query that|query to|sql that|select statement|write a query|postgres query|mysql query|sql-abfrage|the sql|sql please|give me sql|consulta sql|requête sql|query sql|sql-запрос|sql for|as sql|sqlite query|bigquery|snowflake query|sql"),
    (AsCode, Word, 1.3, "write a function|write a program|write a script|write a class|write code|write the code|write a python|write python|write a unit test|write tests|write unit tests|unit tests for|implement|implement a|function that|script that|program that|class that|method that|component that|refactor|regex that|regex for|regex to|regular expression that|regular expression to|code snippet|code for|code that|code to|fix the code|fix this code|fix my code|fix this function|fix the bug|port this|convert this code|rewrite this function|one-liner|dockerfile|bash script|shell script|python script|bash command|command to|makefile|github action|yaml for|terraform for|css for|html page|react component|only code|just the code|only the code|complete the function|type hints|docstring|oneliner|leetcode|code only|debug this|fix this|fix it so|only code|this code to|component|cli tool|web scraper|crud api|http server|server in|server that|app that|tool that|bot that|package that|endpoint that|hook in|query for"),
    (AsCode, Word, 1.3, "escribe una función|una función que|un script que|écris une fonction|une fonction qui|un script qui|schreibe eine funktion|eine funktion, die|ein skript|scrivi una funzione|una funzione che|escreva uma função|uma função que|schrijf een functie|напиши функцию|напиши скрипт|напиши код|напиши программу"),
    (AsCode, Any, 1.3, "写一个函数|写代码|写一个脚本|関数を書いて|コードを書いて|함수를 작성|코드를 작성"),
    (AsCode, Word, 0.6, "this function|this class|this method|this code|this script|this module|o(n log n)|o(n)"),
    (AsSql, Word, 1.0, "this query|correlated subquery|window function"),
    (NumberWord, Word, 1.0, "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|half|twice|dozen|double|each|every|rest|remaining|left"),
    (AsLabel, Word, 1.4, "yes or no|yes/no|true or false|true/false|one word|single word|one letter|single letter|only the letter|just the letter|the letter of|answer with the letter|classify|classification|categorize|categorise|category|sentiment|positive or negative|positive, negative|positive/negative|spam or|choose one|pick one|select one|which one of|one of the following|one of:|which of the following|answer only|respond only with|reply only with|respond with only|reply with only|answer with only|respond with one|answer with just|multiple choice|is this spam|label it|label this|label the|only the label|only the category|correct option|correct answer is|is it true that|letter code|language code|with one of|with exactly one|detect the language|only yes|only no|just yes|label each|which category|which label|answer yes|answer no|answer a, b|answer true|yes, no or"),
    (AsLabel, Word, 1.4, "sí o no|verdadero o falso|oui ou non|vrai ou faux|ja oder nein|wahr oder falsch|klassifiziere|clasifica|classifie|classifica|classifique|sì o no|sim ou não|ja of nee|да или нет|классифицируй|одним словом"),
    (AsLabel, Any, 1.4, "是或否|是还是否|分类|はいかいいえ|分類|예 또는 아니|분류"),
    (AsText, Word, 1.0, "explain|why|describe|summarize|summarise|summary|translate|essay|story|poem|email|letter|article|what does this|how does|difference between|tell me|discuss|overview|review|compare|advice|should i|what is|what are|walk me through|in plain english|blog post|pros and cons|recommend"),
    (AsText, Word, 1.0, "explica|resume|traduce|explique|résume|traduis|erkläre|übersetze|warum|spiega|traduci|leg uit|vertaal|объясни|переведи|почему"),
    (Choice, Any, 0.6, "\na) |\nb) |\nc) |\nd) |\na. |\nb. |\nc. |\nd. |(a) |(b) |(c) |(d) |\na: |\nb: |\nc: |\nd: | a) | b) | c) |\n(1)|\n(2)"),
    // Notation.
    (CodeMark, Any, 1.0, "def |):\n|return;|import |#include|function(|function (|=> |public class|private |void |console.log|print(|println|fn main|let mut|const |var |</|/>|();|{}|elif |else:|self.|std::|npm |pip install|git |traceback (most recent|typeerror|valueerror|keyerror|nullpointerexception|segmentation fault|undefined is not|.py|.js|.ts|.rs|.go|.java|.cpp|$ "),
    (SqlMark, Any, 1.0, "select * |select count| from |where |group by|order by|left join|inner join|insert into|create table|alter table|primary key|having |varchar"),
    (LatexMark, Any, 1.2, "\\frac|\\int|\\sum|\\sqrt|\\begin{|\\alpha|\\beta|\\theta|\\lambda|\\mathbb|\\le|\\ge|\\lim|$$|\\(|\\[|x^2|^2|\\cdot|\\times|f(x)"),
    (JsonMark, Any, 1.0, "{\"|\": |\":\"|[{|}]|\"}"),
    // Flow.
    (Batch, Word, 1.0, "no rush|no hurry|overnight|nightly|by tomorrow|whenever you|in bulk|bulk job|batch job|batch of|offline job|backfill|background job|not urgent|over the weekend|by next week|keine eile|sin prisa|pas pressé|entire dataset|whole dataset|all the records|every record"),
    (Affirm, Word, 1.0, "yes|yep|yeah|ok|okay|sure|do it|go ahead|continue|proceed|please do|sounds good|thanks|thank you|great|perfect|go on|next|keep going|try again|once more|lgtm|agreed|correct|right|no|sí|hazlo|adelante|continúa|vale|oui|vas-y|continue|d'accord|ja|mach das|mach es|weiter|genau|sì|fallo|va bene|sim|faça isso|pode fazer|doe maar|ga door|да|давай|сделай|продолжай|хорошо"),
    (Affirm, Any, 1.0, "好的|继续|可以|是的|はい|続けて|お願い|네|계속|그래"),
    (Refer, Word, 1.0, "it|that|this|these|those|them|above|again|same|instead|also|now|shorter|longer|another|the rest|previous|earlier|the first one|the second one|the other|what about|how about|and in|eso|esto|ahora|ça|cela|das|jetzt|auch|questo|ora|isso|agora|dat|это|теперь|ещё"),
    (Title, Word, 1.0, "generate a title|concise title|short title|title for this|title for the conversation|title of the conversation|summarize this conversation|summarise this conversation|conversation title|chat title|thread title|topic of the conversation|new conversation topic"),
    (Fence, Any, 1.0, "```"),
    (ReminderOpen, Any, 1.0, "<system-reminder>|<environment_details>|<tool_result>|<environment_context>"),
    (ReminderClose, Any, 1.0, "</system-reminder>|</environment_details>|</tool_result>|</environment_context>"),
    // Languages: frequent words that the others lack.
    (En, Word, 1.0, "the|and|is|of|what|to|how|with|for|please|are|you|my|this"),
    (Es, Word, 1.0, "el|los|las|que|qué|una|por|para|cuál|cómo|es|y|del|con|está|un"),
    (Fr, Word, 1.0, "le|les|des|est|une|dans|pour|que|qui|et|du|quelle|quel|avec|sur|mon|vous"),
    (De, Word, 1.0, "der|die|das|und|ist|nicht|ein|eine|mit|für|wie|ich|auf|den|dem|von|zu|bitte|mir"),
    (It, Word, 1.0, "il|che|di|per|della|è|gli|una|con|sono|come|nel|mi|perché|qual"),
    (Pt, Word, 1.0, "não|uma|os|do|da|em|é|você|com|para|são|qual|por que|como|um|o que"),
    (Nl, Word, 1.0, "het|een|van|niet|en|dat|voor|wat|hoe|ik|met|zijn|naar|op|mijn"),
];
