#include "daemon/dispatch/opt_out.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "daemon/dispatch/folding.hpp"

namespace conductor::dispatch {
namespace {

/// Longer texts are letters, in which a stray "stop" means nothing.
constexpr std::size_t longest_revocation = 160;

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
    return revokes(fold(text)) ? Wish::revoke : Wish::none;
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
    if (wish == Wish::none || history.own_number) return false;
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
