"""Questions with answers that can be checked by a word, for `real_cascade.py`; written for it."""

CALIBRATION = [
    ("What is 3 + 4? Reply with the number only.", "7"),
    ("What is 9 - 5? Reply with the number only.", "4"),
    ("What is 6 times 7? Reply with the number only.", "42"),
    ("What is 15 + 28? Reply with the number only.", "43"),
    ("What is 100 divided by 4? Reply with the number only.", "25"),
    ("What is 13 times 3? Reply with the number only.", "39"),
    ("What is the capital of Italy? One word.", "rome"),
    ("What is the capital of Japan? One word.", "tokyo"),
    ("What is the capital of Canada? One word.", "ottawa"),
    ("What is the capital of Turkey? One word.", "ankara"),
    ("What colour is a ripe banana? One word.", "yellow"),
    ("What is the opposite of cold? One word.", "hot"),
    ("How many days has a week? Reply with the number only.", "7"),
    ("How many months have 31 days? Reply with the number only.", "7"),
    ("Which planet is closest to the sun? One word.", "mercury"),
    ("What gas do plants take in from the air? Two words.", "carbon dioxide"),
    ("In Python, what does len('abcd') return? Reply with the number only.", "4"),
    ("In Python, what does 7 // 2 return? Reply with the number only.", "3"),
    ("What is the plural of mouse? One word.", "mice"),
    ("Who wrote Hamlet? Last name only.", "shakespeare"),
]
LADDER = [
    ("What is 2 + 2? Reply with the number only.", "4"),
    ("What is the capital of France? One word.", "paris"),
    ("What colour is the sky on a clear day? One word.", "blue"),
    ("What is the opposite of big? One word.", "small"),
    ("How many legs has a spider? Reply with the number only.", "8"),
    ("What is the capital of Australia? One word.", "canberra"),
    ("What is 12 times 11? Reply with the number only.", "132"),
    ("Which planet is the largest? One word.", "jupiter"),
    ("In Python, what does 2 ** 5 return? Reply with the number only.", "32"),
    ("What is the chemical symbol of gold? Reply with the symbol only.", "au"),
    ("What is 144 divided by 12? Reply with the number only.", "12"),
    ("What is the past tense of go? One word.", "went"),
    ("In Python, what does sum(range(5)) return? Reply with the number only.", "10"),
    ("What is 17 times 6? Reply with the number only.", "102"),
]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "city": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "city", "age"],
    "additionalProperties": False,
}
EXTRACTION = [
    ("Anna Berg, 34, lives in Oslo.", {"name": "anna berg", "city": "oslo", "age": 34}),
    ("In Lyon we met Marc Petit, who is 51.", {"name": "marc petit", "city": "lyon", "age": 51}),
    ("Jo Hill (29) moved to Leeds.", {"name": "jo hill", "city": "leeds", "age": 29}),
    ("At 67, Ines Costa of Porto still teaches.", {"name": "ines costa", "city": "porto", "age": 67}),
    ("Kenji Mori turned 42 in Osaka.", {"name": "kenji mori", "city": "osaka", "age": 42}),
    ("Our baker in Graz, Eva Huber, is 38.", {"name": "eva huber", "city": "graz", "age": 38}),
]
CALIBRATION_EXTRACTION = [
    ("Tom Reed, 45, comes from Bath.", {"name": "tom reed", "city": "bath", "age": 45}),
    ("In Riga I saw Lena Ozola, aged 27.", {"name": "lena ozola", "city": "riga", "age": 27}),
    ("Paul Weber (61) runs a shop in Bonn.", {"name": "paul weber", "city": "bonn", "age": 61}),
    ("At 33, Mia Rossi left for Turin.", {"name": "mia rossi", "city": "turin", "age": 33}),
    ("Our guide in Cork, Sean Daly, is 58.", {"name": "sean daly", "city": "cork", "age": 58}),
    ("Ana Lima became 40 in Recife.", {"name": "ana lima", "city": "recife", "age": 40}),
    ("Nils Dahl, who lives in Malmo, is 72.", {"name": "nils dahl", "city": "malmo", "age": 72}),
    ("From Ghent writes Els Maes, 36.", {"name": "els maes", "city": "ghent", "age": 36}),
]
