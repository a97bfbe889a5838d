#pragma once
// A table for people: columns as wide as their longest cell, text cut to a width.
#include <string>
#include <string_view>
#include <vector>

namespace conductor::quickstart {

/// Columns that a terminal needs for UTF-8 text: 0 for what joins the character before it, 2 for East Asian wide and for emoji.
int width_of(std::string_view utf8);
/// At most `width` columns; "..." stands for what was cut. Line breaks become spaces.
std::string cut(std::string_view utf8, int width);

class Table {
public:
    explicit Table(std::vector<std::string> head) : rows_{std::move(head)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::string text() const;

private:
    struct Rows : std::vector<std::vector<std::string>> {
        explicit Rows(std::vector<std::string> head) { push_back(std::move(head)); }
    } rows_;
};

}  // namespace conductor::quickstart
