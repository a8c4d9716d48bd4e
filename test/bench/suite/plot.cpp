#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "bench/program.hpp"
#include "bench/scratch_directory.hpp"
#include "bench/suite/summary.hpp"

// The plot of the main results. It has the lines of the summary, and for each other system the time
// of ashmemo divided by the time of that system. gnuplot draws it.

namespace ashmemo::bench {
namespace {

/// Colour and shape of a system. The shapes are for people who do not see the colours.
struct Mark {
  const char* colour;
  int shape;  // of gnuplot
};
// In the order of kSummarySystems, without ashmemo. All are readable on white and on black.
constexpr std::array<Mark, kSummarySystems.size() - 1> kMarks{
    {{"#1f86e0", 7}, {"#d9730d", 5}, {"#2b9a49", 9}, {"#c250c9", 13}}};

constexpr int kHeightOfLine = 26;
constexpr int kHeightOfRest = 130;

// Viewers that know no style sheets show lines and text in this grey, which is readable on white
// and on black.
// {0}: height, {1}: output file, {2}: last line, {3}: names of the lines.
constexpr const char* kHead = R"(set terminal svg size 900,{0} noenhanced font "sans-serif,14"
set output {1}
set encoding utf8
text = "#777e87"
set logscale x
set format x "%g"
set xrange [* < 0.5 : 2 < *]
set yrange [{2}.5:-0.5]
set border 0
set tics nomirror scale 0 textcolor rgb text
set ytics ({3})
set grid xtics ytics linecolor rgb text linewidth 0.5
set tmargin 3
set key at screen 0.5, screen 0.98 center top horizontal maxrows 1 samplen 1 textcolor rgb text
set xlabel "time of ashmemo / time of the other store\nleft of 1, ashmemo is faster" \
  textcolor rgb text
set arrow from 1, graph 0 to 1, graph 1 nohead linecolor rgb text linewidth 2
)";

// The plot has its own background, because the page around it may be light although the system is
// dark. The colours are those of examples/guides/how-it-works.svg.
constexpr std::string_view kStyle = R"css(<style>
  #gnuplot_canvas > rect { fill: #ffffff; stroke: #d0d7de; }
  text { fill: #1f2328; }
  path[stroke^="rgb(119"] { stroke: #57606a; }
  @media (prefers-color-scheme: dark) {
    #gnuplot_canvas > rect { fill: #0d1117; stroke: #30363d; }
    text { fill: #f0f6fc; }
    path[stroke^="rgb(119"] { stroke: #9ea7b3; }
  }
</style>
)css";

/// A string of gnuplot's language.
std::string gnuplot_text(std::string_view text) {
  std::string made = "'";
  for (const char c : text) made.append(c == '\'' ? 2 : 1, c);
  return made + "'";
}

/// The name of a line. gnuplot takes it for a format, in which `%%` is a percent sign.
std::string label_of(const std::string& name) {
  std::string format;
  for (const char c : name) format.append(c == '%' ? 2 : 1, c);
  return gnuplot_text(format);
}

/// The operation, with the number of entries if it was measured with several.
std::string name_of(const SummaryLine& line, std::span<const SummaryLine> all) {
  const auto same = [&](const SummaryLine& other) { return other.what == line.what; };
  if (std::count_if(all.begin(), all.end(), same) == 1) return line.what;
  return fmt::format("{} ({})", line.what, grouped(static_cast<std::int64_t>(line.row->entries)));
}

std::string head_of(std::span<const SummaryLine> lines, const std::string& path) {
  std::string names;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    names += fmt::format("{}{} {}", i == 0 ? "" : ", ", label_of(name_of(lines[i], lines)), i);
  }
  const int height = kHeightOfRest + kHeightOfLine * static_cast<int>(lines.size());
  return fmt::format(kHead, height, gnuplot_text(path), lines.size() - 1, names);
}

/// The points of a system: its ratios and the numbers of their lines. Empty if it was not measured.
std::string points_of(const Rows& rows, std::span<const SummaryLine> lines,
                      std::string_view system) {
  std::string points;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Row* const theirs = rows.row_of(system, *lines[i].row);
    if (theirs == nullptr || theirs->compared() <= 0) continue;
    points += fmt::format("{} {}\n", lines[i].row->compared() / theirs->compared(), i);
  }
  return points;
}

std::string script_of(const Rows& rows, const std::string& path) {
  const auto lines = summary_lines(rows);
  std::string points;
  std::string plots;
  for (std::size_t i = 0; i < kMarks.size(); ++i) {
    const auto& [system, title] = kSummarySystems[i + 1];
    const std::string of_system = points_of(rows, lines, system);
    if (of_system.empty()) continue;
    points += fmt::format("${} << END\n{}END\n", system, of_system);
    plots += fmt::format(
        "{} ${} using 1:2 with points pointtype {} pointsize 0.9 linecolor rgb \"{}\" title {}",
        plots.empty() ? "plot" : ",", system, kMarks[i].shape, kMarks[i].colour,
        gnuplot_text(title));
  }
  if (plots.empty()) throw std::runtime_error("the plot needs results of two systems");
  return head_of(lines, path) + points + plots + '\n';
}

/// The text of the plot in this file, with the style sheet before its first element.
std::string with_style(const std::string& path) {
  std::ifstream file(path);
  std::string svg{std::istreambuf_iterator<char>(file), {}};
  svg.insert(std::min(svg.find("<g "), svg.size()), kStyle);
  return svg;
}

}  // namespace

void write_plot(const Rows& rows, const std::string& path) {
  const ScratchDirectory directory;
  const std::string script = directory.file("plot.gnuplot");
  const std::string drawn = directory.file("plot.svg");
  std::ofstream(script) << script_of(rows, drawn);
  if (std::system(fmt::format("gnuplot '{}'", script).c_str()) != 0) {
    throw std::runtime_error(
        fmt::format("could not draw {}: gnuplot is not installed or failed", path));
  }
  std::ofstream file(path);
  file << with_style(drawn);
  if (!file.flush()) throw std::runtime_error("could not write " + path);
}

}  // namespace ashmemo::bench
