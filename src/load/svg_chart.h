// Small charts as SVG, with the classes that html_page() has colours for.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace millrace {

struct ChartSeries {
  std::string name;
  std::vector<std::optional<double>> values;  ///< one each second; nothing: a gap
};

/// Over time, from second 0; up to two series of one unit. More than some hundred values are drawn as the mean of
/// several, or as the highest of them where `keeps_peaks`.
struct LineChart {
  std::string title;
  std::string unit;
  std::vector<ChartSeries> series;
  bool keeps_peaks = false;
};
std::string svg_lines(const LineChart& chart);

/// How many values lie where, over orders of magnitude.
struct Distribution {
  struct Cell {
    double seconds = 0;
    double count = 0;
  };
  struct Mark {
    std::string name;
    double seconds = 0;
  };
  std::string title;
  std::vector<Cell> cells;
  std::vector<Mark> marks;
};
std::string svg_distribution(const Distribution& distribution);

/// The values of two groups as dots, one row each, on one axis.
std::string svg_groups(const std::string& title, const std::vector<double>& first, const std::vector<double>& second);

/// "1.5 ms".
std::string time_text(double seconds);
/// Three digits.
std::string number_text(double value);

}  // namespace millrace
