#pragma once
// Errors as values. Every library has one enum of error conditions; an Error is one of those plus the place it happened.
#include <boost/system/result.hpp>
#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace conductor {

/// An error enum of one library: `errc_library(E)` names the library, `describe(E)` gives the sentence. Value 0 is never used.
template <class E>
concept Errc = std::is_enum_v<E> && requires(E e) {
    { errc_library(e) } -> std::convertible_to<const char*>;
    { describe(e) } -> std::convertible_to<std::string_view>;
};

template <Errc E>
const std::error_category& errc_category() {
    class Category final : public std::error_category {
        const char* name() const noexcept override { return errc_library(E{}); }
        std::string message(int value) const override { return std::string{describe(static_cast<E>(value))}; }
    };
    static const Category category;
    return category;
}

/// What went wrong and where: field and octet, command, or query name; never a phone number or a text.
struct Error {
    std::error_code code;
    std::string where{};

    Error() = default;
    Error(std::error_code c, std::string w = {}) : code{c}, where{std::move(w)} {}
    template <Errc E>
    Error(E e, std::string w = {}) : code{static_cast<int>(e), errc_category<E>()}, where{std::move(w)} {}

    template <Errc E>
    bool is(E e) const {
        return code.category() == errc_category<E>() && code.value() == static_cast<int>(e);
    }
    /// "library: sentence (where)", for logs and people.
    std::string text() const {
        std::string out = std::string{code.category().name()} + ": " + code.message();
        if (!where.empty()) out += " (" + where + ")";
        return out;
    }
    bool operator==(const Error&) const = default;
};

/// result::value() on an error throws; only tests and start-up code call it.
[[noreturn]] inline void throw_exception_from_error(const Error& e, const boost::source_location&) {
    throw std::runtime_error(e.text());
}

template <class T>
using Result = boost::system::result<T, Error>;

template <Errc E>
Error fail(E e, std::string where = {}) {
    return Error{e, std::move(where)};
}
/// The place as "field@octet".
template <Errc E>
Error fail(E e, std::string_view field, std::size_t octet) {
    return Error{e, std::string{field} + "@" + std::to_string(octet)};
}

/// Visitor of a variant from lambdas.
template <class... F>
struct overloaded : F... {
    using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

}  // namespace conductor
