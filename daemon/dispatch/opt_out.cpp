#include "daemon/dispatch/opt_out.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "daemon/dispatch/folding.hpp"

namespace conductor::dispatch {
namespace {

/// Longer texts are letters, in which a stray "stop" means nothing.
constexpr std::size_t longest_revocation = 160;

/// Octets: no text that revokes is longer, with a signature below it.
constexpr std::size_t longest_looked_at = 2000;

/// Free words that revoke, folded: each is found as whole words anywhere in a text.
constexpr std::string_view revocations[] = {
    "STOP TEXTING", "STOP MESSAGING", "STOP SENDING", "STOP CONTACTING", "STOP SPAMMING", "STOP MESSAGES", "STOP THE MESSAGES",
    "STOP THESE MESSAGES", "STOP TEXTS", "STOP THE TEXTS", "STOP THESE TEXTS", "STOP WRITING", "STOP BOTHERING", "STOP HARASSING",
    "STOP CALLING", "PLEASE STOP", "STOP PLEASE", "PLS STOP", "STOP PLS", "QUIT TEXTING", "QUIT MESSAGING", "QUIT SENDING", "NO MORE TEXTS",
    "NO MORE MESSAGES", "NO MORE TEXT MESSAGES", "DONT TEXT ME", "DO NOT TEXT ME", "DONT MESSAGE ME", "DO NOT MESSAGE ME",
    "DONT CONTACT ME", "DO NOT CONTACT ME", "DONT SEND ME", "DO NOT SEND ME", "NEVER TEXT ME", "NEVER CONTACT ME", "REMOVE ME",
    "REMOVE MY NUMBER", "DELETE MY NUMBER", "TAKE ME OFF", "TAKE MY NUMBER OFF", "OFF YOUR LIST", "UNSUBSCRIBE ME", "UNSUBSCRIBE PLEASE",
    "PLEASE UNSUBSCRIBE", "WANT TO UNSUBSCRIBE", "OPT ME OUT", "I OPT OUT", "WANT TO OPT OUT", "LIKE TO OPT OUT", "CANCEL MY SUBSCRIPTION",
    "LOSE MY NUMBER", "WRONG NUMBER", "LEAVE ME ALONE", "I REVOKE", "REVOKE MY CONSENT", "REVOKE CONSENT", "WITHDRAW MY CONSENT",
    // Spanish
    "ALTO", "DETENER", "DETENGA", "PARAR", "PARE", "CANCELAR", "BAJA", "NO MAS MENSAJES", "NO MAS TEXTOS", "NO ME ENVIE", "NO ME ENVIEN",
    "NO ME ENVIES", "NO ME MANDE", "NO ME MANDEN", "NO ME MANDES", "NO ME ESCRIBA", "NO ME ESCRIBAN", "NO ME ESCRIBAS", "NO ME CONTACTE",
    "NO ME CONTACTEN", "NO ME MOLESTE", "NO ME MOLESTEN", "DEJE DE", "DEJEN DE", "DEJA DE ENVIAR", "DEJA DE MANDAR", "DEJA DE ESCRIBIR",
    "DEJENME EN PAZ", "DEJAME EN PAZ", "NO QUIERO RECIBIR", "NO DESEO RECIBIR", "NO QUIERO MAS", "QUITEME DE", "QUITENME DE", "QUITAME DE",
    "ELIMINEN MI NUMERO", "ELIMINE MI NUMERO", "BORREN MI NUMERO", "BORRE MI NUMERO", "DARME DE BAJA", "DENME DE BAJA", "DEME DE BAJA",
    "NUMERO EQUIVOCADO"};
/// These are ordinary words too: they revoke only as the whole text.
constexpr std::string_view whole_only[] = {"ALTO", "DETENER", "DETENGA", "PARAR", "PARE", "CANCELAR", "BAJA"};
/// These turn a revocation that they share a word with into its opposite, and no other one of the same text.
constexpr std::string_view negations[] = {
    "STOP BY",           "STOP IN",        "STOP AT",          "DONT STOP",           "DO NOT STOP",           "NEVER STOP",
    "DONT PLEASE STOP",  "DONT REMOVE ME", "DO NOT REMOVE ME", "DONT UNSUBSCRIBE ME", "DO NOT UNSUBSCRIBE ME", "DONT TAKE ME OFF",
    "DO NOT TAKE ME OFF"};
/// No negation after all.
constexpr std::string_view at_once = "STOP AT ONCE";

/// Where these whole words are first found at or after `from`; npos: nowhere.
std::size_t find_words(std::string_view folded, std::string_view words, std::size_t from = 0) {
    for (std::size_t at = folded.find(words, from); at != std::string_view::npos; at = folded.find(words, at + 1)) {
        const std::size_t end = at + words.size();
        if ((at == 0 || folded[at - 1] == ' ') && (end == folded.size() || folded[end] == ' ')) return at;
    }
    return std::string_view::npos;
}

struct Span {
    std::size_t begin = 0, end = 0;
};

std::vector<Span> negated(std::string_view folded) {
    std::vector<Span> spans;
    for (const std::string_view words : negations)
        for (auto at = find_words(folded, words); at != std::string_view::npos; at = find_words(folded, words, at + 1))
            if (!folded.substr(at).starts_with(at_once)) spans.push_back({at, at + words.size()});
    return spans;
}

/// Words are compared without any blanks, so that "S T O P", "OPT-OUT" and "opt out" are the same.
bool is_one_of(std::string_view joined, const std::vector<std::string>& words) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& w) {
        const std::string want = joined_fold(w);
        return !want.empty() && want == joined;
    });
}

bool revokes(std::string_view folded) {
    if (folded.empty() || folded.size() > longest_revocation) return false;
    const auto spans = negated(folded);
    for (const std::string_view words : revocations) {
        if (std::find(std::begin(whole_only), std::end(whole_only), words) != std::end(whole_only)) {
            if (folded == words) return true;
            continue;
        }
        for (auto at = find_words(folded, words); at != std::string_view::npos; at = find_words(folded, words, at + 1)) {
            const auto shares = [&](const Span& span) { return span.begin < at + words.size() && at < span.end; };
            if (std::none_of(spans.begin(), spans.end(), shares)) return true;
        }
    }
    return false;
}

// --- a word of the configuration at the beginning or the end of a short text: "stop, thanks", "Stop msg", "fuck off stop"

/// Companions that leave a word for ending what it is.
constexpr std::string_view companions[] = {
    "PLEASE",  "PLS",       "PLZ",  "KINDLY", "JUST", "THANKS", "THANK",   "THX",      "TY",   "YOU",        "NOW",       "ALREADY",
    "ASAP",    "AT",        "ONCE", "ALL",    "MSG",  "MSGS",   "MESSAGE", "MESSAGES", "TEXT", "TEXTS",      "TXT",       "TXTS",
    "TEXTING", "MESSAGING", "SMS",  "AD",     "ADS",  "ALERTS", "PROMOS",  "OFFERS",   "SPAM", "SPAMMING",   "MARKETING", "FOREVER",
    "OK",      "OKAY",      "HI",   "HELLO",  "HEY",  "SIR",    "MAAM",    "NO",       "NOPE", "IMMEDIATELY"};
/// And those that leave STOP what it is, while "cancel it" may mean an order.
constexpr std::string_view companions_of_stop[] = {
    "IT",    "THIS",  "THAT",  "THESE",  "ME",   "U",     "YES",        "I",    "SAID",    "SAY",       "WANT",        "TOLD", "JUNK",
    "SHIT",  "CRAP",  "BS",    "DUDE",   "BRO",  "MAN",   "GUYS",       "FUCK", "FUCKING", "FUCKIN",    "OFF",         "FFS",  "WTF",
    "DAMN",  "HELL",  "BITCH", "MUST",   "WILL", "NEED",  "NEEDS",      "HAS",  "REALLY",  "SERIOUSLY", "SO",          "GO",   "AWAY",
    "LEAVE", "ALONE", "OMG",   "ENOUGH", "BYE",  "SORRY", "INTERESTED", "END",  "TO",      "2",         "UNSUBSCRIBE", "FROM"};
/// Words behind STOP that make something else of it: a visit, a thing of the road, an order.
constexpr std::string_view not_behind_stop[] = {"BY",     "IN",     "AT",     "ON",    "OVER",  "FOR",    "TO",    "AND",      "OR",
                                                "HERE",   "THERE",  "NEAR",   "NEXT",  "WHEN",  "WHERE",  "WHILE", "UNTIL",    "TILL",
                                                "IF",     "BEFORE", "AFTER",  "THE",   "A",     "AN",     "MY",    "ORDER",    "PAYMENT",
                                                "LIGHT",  "LIGHTS", "SIGN",   "SIGNS", "WATCH", "MOTION", "LOSS",  "DELIVERY", "OUTSIDE",
                                                "INSIDE", "WITH",   "AROUND", "IS",    "WAS",   "NUMBER", "NO"};

template <std::size_t N>
bool is_in(const std::string_view (&list)[N], std::string_view word) {
    return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

std::vector<std::string_view> words_of(std::string_view folded) {
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < folded.size();) {
        const std::size_t end = std::min(folded.find(' ', at), folded.size());
        words.push_back(folded.substr(at, end - at));
        at = end + 1;
    }
    return words;
}

std::string without_doubled(std::string_view word) {
    std::string out;
    for (const char c : word)
        if (out.empty() || out.back() != c) out += c;
    return out;
}

/// "STOPP", "STTOP", "STPO": the word with letters doubled, or two neighbours exchanged.
bool is_slip_of(std::string_view typed, std::string_view word) {
    if (word.size() < 4) return typed == word;
    if (without_doubled(typed) == without_doubled(word)) return true;
    if (typed.size() != word.size()) return false;
    const auto differs = std::mismatch(typed.begin(), typed.end(), word.begin()).first;
    if (differs == typed.end() || differs + 1 == typed.end()) return differs == typed.end();
    std::string exchanged{typed};
    const auto at = static_cast<std::size_t>(differs - typed.begin());
    std::swap(exchanged[at], exchanged[at + 1]);
    return exchanged == word;
}

/// STOP, and words that nobody needs for anything else.
bool is_plain(std::string_view word) {
    return word == "STOP" || word == "STOPALL" || word == "UNSUBSCRIBE" || word == "OPTOUT" || word == "OPT OUT";
}

/// What stands around `word` in a text that begins or ends with it.
bool ends_with_companions(std::string_view word, const std::vector<std::string_view>& others, bool first, bool asks,
                          const std::vector<std::string>& stops) {
    constexpr std::size_t most = 3, most_known = 6;
    const bool plain = is_plain(word);
    const auto known = [&](std::string_view other) {
        const auto slips = [&](const std::string& stop) { return is_slip_of(other, stop); };
        return is_in(companions, other) || (plain && is_in(companions_of_stop, other)) || std::any_of(stops.begin(), stops.end(), slips);
    };
    if (others.size() <= most_known && std::all_of(others.begin(), others.end(), known)) return !asks && (plain || others.size() <= most);
    if (!plain || !first || asks || others.size() > most) return false;
    const std::string_view next = others.front();
    const bool digits = next.find_first_not_of("0123456789") == std::string_view::npos;
    return !digits && !is_in(not_behind_stop, next) && !next.ends_with("ING");
}

/// `asks`: the text holds a question mark.
bool begins_or_ends_with_stop(std::string_view folded, bool asks, const std::vector<std::string>& configured) {
    std::vector<std::string> stops;
    for (const std::string& word : configured)
        if (auto stop = fold(word); !stop.empty()) stops.push_back(std::move(stop));
    const auto words = words_of(folded);
    if (words.empty() || words.size() > 8 || !negated(folded).empty()) return false;
    for (const std::string& stop : stops) {
        const auto length = static_cast<std::size_t>(1 + std::count(stop.begin(), stop.end(), ' '));
        if (length > words.size()) continue;
        for (const bool first : {true, false}) {
            const auto begin = words.begin() + static_cast<std::ptrdiff_t>(first ? 0 : words.size() - length);
            const auto end = begin + static_cast<std::ptrdiff_t>(length);
            std::string typed{*begin};
            for (auto it = begin + 1; it != end; ++it) typed.append(" ").append(*it);
            if (!is_slip_of(typed, stop)) continue;
            std::vector<std::string_view> others{words.begin(), begin};
            others.insert(others.end(), end, words.end());
            if (others.empty() || ends_with_companions(stop, others, first, asks, stops)) return true;
        }
    }
    return false;
}

/// The text without what a mail program puts below it.
std::string_view without_signature(std::string_view text) {
    constexpr std::string_view signatures[] = {"SENT FROM", "SENT VIA", "SENT WITH", "GET OUTLOOK", "ENVIADO DESDE", "ENVIADO CON"};
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', end + 1)) {
        const std::string_view line = text.substr(end + 1, text.find('\n', end + 1) - end - 1);
        const std::string folded = fold(line);
        const bool dashes = line.starts_with("--") && folded.empty();
        const bool known = std::any_of(std::begin(signatures), std::end(signatures), [&](auto s) { return folded.starts_with(s); });
        if ((dashes || known) && !fold(text.substr(0, end)).empty()) return text.substr(0, end);
    }
    return text;
}

std::string filled(std::string_view text, std::string_view brand) {
    std::string out{text};
    const std::string_view lead = "{brand}: ";
    if (brand.empty() && out.starts_with(lead)) out.erase(0, lead.size());
    const std::string_view variable = "{brand}";
    for (std::size_t at = out.find(variable); at != std::string::npos; at = out.find(variable, at + brand.size()))
        out.replace(at, variable.size(), brand);
    return out;
}

}  // namespace

Wish wish_of(std::string_view text, const config::OptOut& config) {
    const std::string joined = joined_fold(text);
    if (joined.empty()) return Wish::none;
    if (is_one_of(joined, config.stop)) return Wish::stop;
    if (is_one_of(joined, config.start)) return Wish::start;
    if (is_one_of(joined, config.help)) return Wish::help;
    const std::string_view said = without_signature(text.substr(0, longest_looked_at));
    const std::string folded = fold(said);
    const bool asks = said.find('?') != std::string_view::npos;
    return revokes(folded) || begins_or_ends_with_stop(folded, asks, config.stop) ? Wish::revoke : Wish::none;
}

std::string answer_to(Wish wish, const config::OptOut& config) {
    switch (wish) {
        case Wish::none: return {};
        case Wish::stop:
        case Wish::revoke: return filled(config.confirm, config.brand);
        case Wish::start: return filled(config.start_text, config.brand);
        case Wish::help: return filled(config.help_text, config.brand);
    }
    return {};
}

bool may_answer(Wish wish, const AnswerHistory& history) {
    if (wish == Wish::none) return false;
    if (wish == Wish::stop || wish == Wish::revoke) {
        if (history.opted_out) return false;
    } else if (wish == Wish::start) {
        if (!history.opted_out) return false;
    } else if (history.same_last_day > 0) {
        return false;
    }
    return history.all_last_day < AnswerHistory::most_a_day;
}

}  // namespace conductor::dispatch
