"""Generates small Python functions with docstrings: what the shipped checkpoints are trained on, beside the library.

A task is a noun phrase or a condition in English with the expression that computes it. Tasks are put together from
parts (a filter, a mapping, a reduction), each part is said in several ways, and functions and arguments get random
names, so that a model has to read the docstring and copy the names. What a function returns in its examples is
computed by running it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Task:
    """What to compute: ``phrase`` is a noun phrase, or a condition where ``kind`` is "condition".

    ``{a}``, ``{b}`` and ``{c}`` stand for the arguments; ``kinds`` says what each holds (n number, p positive number,
    l list of numbers, t text, w list of words, c one character, d dictionary of numbers).
    """

    phrase: str
    body: str
    kinds: str
    kind: str = "value"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """One generated function: ``prompt`` ends after the docstring, ``solution`` is the body, ``kinds`` are its task's."""

    prompt: str
    solution: str
    name: str
    sentence: str
    kinds: str


# Each row: the ways to say it, the expression, the names that a function of it may have.
PAIRS_OF_NUMBERS = [
    (["the sum of {a} and {b}", "{a} plus {b}", "the total of {a} and {b}", "{a} and {b} added together", "the result of adding {a} and {b}", "the result of adding {b} to {a}"], "{a} + {b}", ["add", "plus", "total", "sum_of", "addition", "combine"]),
    (["the difference of {a} and {b}", "the difference between {a} and {b}", "{a} minus {b}", "{a} less {b}", "what is left when {b} is taken from {a}", "the result of subtracting {b} from {a}"], "{a} - {b}", ["subtract", "minus", "difference", "take_away"]),
    (["the product of {a} and {b}", "{a} times {b}", "{a} multiplied by {b}", "the result of multiplying {a} and {b}", "the result of multiplying {a} by {b}"], "{a} * {b}", ["multiply", "times", "product", "mul"]),
    (["the larger of {a} and {b}", "the greater of {a} and {b}", "the maximum of {a} and {b}", "the bigger of {a} and {b}", "the bigger one of {a} and {b}", "whichever of {a} and {b} is larger"], "max({a}, {b})", ["larger", "bigger", "maximum", "greater"]),
    (["the smaller of {a} and {b}", "the lesser of {a} and {b}", "the minimum of {a} and {b}", "the smaller one of {a} and {b}", "whichever of {a} and {b} is smaller"], "min({a}, {b})", ["smaller", "minimum", "lesser", "lower"]),
    (["the absolute difference of {a} and {b}", "the distance between {a} and {b}", "the absolute difference between {a} and {b}", "how far {a} is from {b}"], "abs({a} - {b})", ["distance", "gap", "absolute_difference"]),
    (["the average of {a} and {b}", "the mean of {a} and {b}", "the number halfway between {a} and {b}"], "({a} + {b}) / 2", ["average", "mean", "midpoint"]),
    (["the sum of the squares of {a} and {b}", "the square of {a} plus the square of {b}"], "{a} ** 2 + {b} ** 2", ["sum_of_squares", "squares"]),
    (["the square of the sum of {a} and {b}"], "({a} + {b}) ** 2", ["square_of_sum"]),
    (["twice the sum of {a} and {b}", "the perimeter of a rectangle with sides {a} and {b}"], "2 * ({a} + {b})", ["perimeter", "double_sum"]),
    (["the area of a rectangle with sides {a} and {b}", "the area of a rectangle of width {a} and height {b}"], "{a} * {b}", ["area", "rectangle_area"]),
]
NUMBER_AND_POSITIVE = [
    (["the remainder of {a} divided by {b}", "{a} modulo {b}", "what remains when {a} is divided by {b}", "the remainder when {a} is divided by {b}"], "{a} % {b}", ["remainder", "modulo", "mod", "rest"]),
    (["{a} divided by {b}", "the quotient of {a} and {b}", "the result of dividing {a} by {b}"], "{a} / {b}", ["divide", "quotient", "ratio"]),
    (["{a} divided by {b}, rounded down", "how many times {b} fits into {a}", "the whole part of {a} divided by {b}", "the integer quotient of {a} and {b}", "the integer division of {a} by {b}"], "{a} // {b}", ["floor_divide", "fits", "whole_quotient"]),
    (["{a} to the power of {b}", "{a} raised to the power of {b}", "{a} raised to {b}", "the power {b} of {a}"], "{a} ** {b}", ["power", "raise_to", "exponent"]),
]
NUMBER_MAPS = [  # {x} is a phrase on the left and an expression on the right
    (["twice {x}", "the double of {x}", "double {x}", "{x} times two", "{x} doubled", "two times {x}", "{x} multiplied by 2"], "{x} * 2", ["double", "twice", "doubled"]),
    (["three times {x}", "the triple of {x}", "{x} tripled", "triple {x}", "{x} times three"], "{x} * 3", ["triple", "threefold"]),
    (["half of {x}", "{x} divided by two", "{x} halved", "one half of {x}"], "{x} / 2", ["half", "halve"]),
    (["the square of {x}", "{x} squared", "{x} times itself", "{x} multiplied by itself"], "{x} ** 2", ["square", "squared"]),
    (["the cube of {x}", "{x} cubed", "{x} to the third power"], "{x} ** 3", ["cube", "cubed"]),
    (["the negative of {x}", "{x} negated", "minus {x}", "{x} with its sign changed", "{x} with the opposite sign", "the opposite of {x}"], "-{x}", ["negate", "negative", "opposite", "flip_sign"]),
    (["{x} plus one", "one more than {x}", "{x} increased by one", "the number after {x}", "the next number after {x}", "the successor of {x}"], "{x} + 1", ["increment", "next_number", "successor"]),
    (["{x} minus one", "one less than {x}", "{x} decreased by one", "the number before {x}", "the predecessor of {x}"], "{x} - 1", ["decrement", "previous_number", "predecessor"]),
    (["the absolute value of {x}", "the magnitude of {x}", "{x} without its sign", "the size of {x} without its sign"], "abs({x})", ["absolute", "magnitude", "absolute_value"]),
    (["the last digit of {x}", "the final digit of {x}", "the units digit of {x}"], "abs({x}) % 10", ["last_digit", "final_digit"]),
    (["the number of digits of {x}", "how many digits {x} has", "the number of digits in {x}"], "len(str(abs({x})))", ["digits", "digit_count", "count_digits"]),
    (["the sum of the digits of {x}", "the digits of {x} added together", "the digit sum of {x}"], "sum(int(d) for d in str(abs({x})))", ["digit_sum", "sum_digits"]),
    (["{x} as a string", "{x} converted to a string", "the text form of {x}"], "str({x})", ["to_text", "as_string"]),
]
NUMBER_CONDITIONS = [
    (["{x} is even", "{x} is an even number", "{x} can be divided by two", "{x} is divisible by two", "{x} is divisible by 2"], "{x} % 2 == 0", ["is_even", "even"], "even"),
    (["{x} is odd", "{x} is an odd number", "{x} is not even", "{x} cannot be divided by two"], "{x} % 2 == 1", ["is_odd", "odd"], "odd"),
    (["{x} is positive", "{x} is greater than zero", "{x} is above zero", "{x} is a positive number"], "{x} > 0", ["is_positive", "positive"], "positive"),
    (["{x} is negative", "{x} is less than zero", "{x} is below zero", "{x} is a negative number"], "{x} < 0", ["is_negative", "negative"], "negative"),
    (["{x} is zero", "{x} equals zero", "{x} is equal to zero", "{x} is equal to 0"], "{x} == 0", ["is_zero", "zero"], "zero"),
    (["{x} is not zero", "{x} is different from zero"], "{x} != 0", ["is_nonzero", "nonzero"], "nonzero"),
    (["{x} is not negative", "{x} is zero or more", "{x} is at least zero"], "{x} >= 0", ["is_non_negative"], "non-negative"),
]
NUMBER_LIMIT_CONDITIONS = [  # {k} is a number or an argument
    (["{x} is greater than {k}", "{x} is larger than {k}", "{x} is more than {k}", "{x} is above {k}"], "{x} > {k}", ["is_greater", "exceeds", "is_above"], ["greater than {k}", "larger than {k}", "above {k}", "bigger than {k}"]),
    (["{x} is less than {k}", "{x} is smaller than {k}", "{x} is below {k}", "{x} is lower than {k}"], "{x} < {k}", ["is_less", "is_below", "is_smaller"], ["less than {k}", "smaller than {k}", "below {k}"]),
    (["{x} equals {k}", "{x} is equal to {k}", "{x} and {k} are equal", "{x} is the same as {k}", "{x} and {k} are the same"], "{x} == {k}", ["is_equal", "same", "equals"], ["equal to {k}", "the same as {k}"]),
    (["{x} is different from {k}", "{x} and {k} are different", "{x} is not equal to {k}", "{x} and {k} differ"], "{x} != {k}", ["is_different", "differ", "not_equal"], ["different from {k}", "not equal to {k}", "other than {k}"]),
    (["{x} is at least {k}", "{x} is not less than {k}"], "{x} >= {k}", ["is_at_least", "reaches"], ["at least {k}", "not below {k}"]),
    (["{x} is at most {k}", "{x} is not more than {k}"], "{x} <= {k}", ["is_at_most", "fits_in"], ["at most {k}", "not above {k}"]),
]
LIST_VALUES = [
    (["the sum of {xs}", "the sum of the numbers in {xs}", "the sum of all numbers in {xs}", "the total of {xs}", "all numbers in {xs} added together", "the sum of the elements of {xs}"], "sum({xs})", ["total", "sum_list", "sum_all", "add_all"]),
    (["the largest number in {xs}", "the maximum of {xs}", "the biggest number in {xs}", "the greatest element of {xs}", "the largest element of {xs}", "the highest number in {xs}"], "max({xs})", ["largest", "maximum", "biggest", "highest"]),
    (["the smallest number in {xs}", "the minimum of {xs}", "the lowest number in {xs}", "the least element of {xs}", "the smallest element of {xs}"], "min({xs})", ["smallest", "minimum", "lowest"]),
    (["the average of {xs}", "the mean of the numbers in {xs}", "the average of the numbers in {xs}"], "sum({xs}) / len({xs})", ["average", "mean"]),
    (["the difference between the largest and the smallest number in {xs}", "the range of {xs}", "the largest number in {xs} minus the smallest"], "max({xs}) - min({xs})", ["spread", "value_range", "width"]),
]
ANY_LIST_VALUES = [
    (["the length of {xs}", "the number of elements in {xs}", "how many elements {xs} has", "the number of items in {xs}", "how many items are in {xs}", "the size of {xs}"], "len({xs})", ["length", "size", "count_items", "count"]),
    (["the first element of {xs}", "the first item in {xs}", "the element at the start of {xs}", "the first item of {xs}"], "{xs}[0]", ["first", "head", "first_item"]),
    (["the last element of {xs}", "the last item in {xs}", "the element at the end of {xs}", "the last item of {xs}", "the final element of {xs}"], "{xs}[-1]", ["last", "tail", "last_item"]),
    (["the second element of {xs}", "the second item in {xs}"], "{xs}[1]", ["second"]),
    (["{xs} in reverse order", "{xs} reversed", "the elements of {xs} in reverse order", "{xs} from the last element to the first", "a reversed copy of {xs}", "the list {xs} backwards"], "{xs}[::-1]", ["reverse", "backwards", "flip"]),
    (["{xs} sorted", "the elements of {xs} in ascending order", "{xs} in ascending order", "{xs} sorted from the smallest to the largest", "a sorted copy of {xs}", "the elements of {xs} in sorted order"], "sorted({xs})", ["sort", "sort_list", "ascending", "order"]),
    (["{xs} in descending order", "{xs} sorted from the largest to the smallest", "the elements of {xs} in descending order", "{xs} sorted in reverse order"], "sorted({xs}, reverse=True)", ["sort_down", "descending"]),
    (["{xs} without its first element", "all elements of {xs} but the first", "everything in {xs} after the first element", "all but the first element of {xs}"], "{xs}[1:]", ["rest", "drop_first", "skip_first"]),
    (["{xs} without its last element", "all elements of {xs} but the last", "all but the last element of {xs}"], "{xs}[:-1]", ["drop_last", "without_last"]),
    (["every second element of {xs}", "every other element of {xs}"], "{xs}[::2]", ["every_second", "every_other"]),
    (["the number of different elements in {xs}", "how many different elements {xs} has", "the number of distinct elements in {xs}", "the number of unique elements in {xs}"], "len(set({xs}))", ["distinct", "count_unique"]),
    (["the different elements of {xs} in sorted order", "the elements of {xs} sorted and without duplicates", "a sorted list of the unique elements of {xs}", "the distinct elements of {xs} in ascending order"], "sorted(set({xs}))", ["unique", "unique_sorted", "deduplicate"]),
    (["{xs} followed by itself", "{xs} repeated twice"], "{xs} + {xs}", ["repeat_twice"]),
    (["the first element of {xs}, or None if {xs} is empty"], "{xs}[0] if {xs} else None", ["first_or_none"]),
]
LIST_AND_NUMBER = [
    (["the first {k} elements of {xs}", "the {k} elements at the start of {xs}", "the first {k} items of {xs}"], "{xs}[:{k}]", ["take", "first_items"]),
    (["{xs} without its first {k} elements", "the elements of {xs} after the first {k}"], "{xs}[{k}:]", ["drop", "skip"]),
    (["how often {k} occurs in {xs}", "how many times {k} appears in {xs}", "the number of times {k} is in {xs}", "the number of times {k} occurs in {xs}", "the number of elements of {xs} equal to {k}"], "{xs}.count({k})", ["count", "occurrences", "how_often"]),
    (["{xs} with {k} added at the end", "a copy of {xs} with {k} appended", "{xs} with {k} at the end"], "{xs} + [{k}]", ["append", "add_item", "extend"]),
    (["{xs} with {k} put in front", "{xs} with {k} at the start"], "[{k}] + {xs}", ["prepend", "put_first"]),
    (["{xs} without the elements equal to {k}", "{xs} with every {k} removed", "the elements of {xs} that are not {k}"], "[x for x in {xs} if x != {k}]", ["remove", "without"]),
    (["each number in {xs} plus {k}", "{xs} with {k} added to each number", "a list of the numbers in {xs} with {k} added to each"], "[x + {k} for x in {xs}]", ["shift", "add_to_each"]),
    (["each number in {xs} times {k}", "{xs} with each number multiplied by {k}", "each number in {xs} multiplied by {k}"], "[x * {k} for x in {xs}]", ["scale", "multiply_each"]),
]
TWO_LISTS = [
    (["{a} followed by {b}", "the elements of {a} and then those of {b}", "the two lists {a} and {b} joined", "{a} and {b} joined into one list"], "{a} + {b}", ["concatenate", "join_lists", "merge"]),
    (["the elements that are in both {a} and {b}", "the elements of {a} that are also in {b}"], "[x for x in {a} if x in {b}]", ["common", "intersection"]),
    (["the elements of {a} that are not in {b}"], "[x for x in {a} if x not in {b}]", ["only_in_first", "difference"]),
    (["the sums of the numbers in {a} and {b} at the same position", "the numbers of {a} and {b} added pair by pair"], "[x + y for x, y in zip({a}, {b})]", ["add_lists", "pairwise_sum"]),
    (["the products of the numbers in {a} and {b} at the same position"], "[x * y for x, y in zip({a}, {b})]", ["multiply_lists"]),
    (["the sum of the products of the numbers in {a} and {b}", "the dot product of {a} and {b}"], "sum(x * y for x, y in zip({a}, {b}))", ["dot", "dot_product"]),
]
EACH_NUMBER = [  # for a list: the adjective phrase for each, the plural, the expression of x
    (["doubled", "multiplied by two"], "doubles", "x * 2", ["double"]),
    (["squared", "multiplied by itself"], "squares", "x ** 2", ["square"]),
    (["cubed"], "cubes", "x ** 3", ["cube"]),
    (["negated", "with its sign changed"], "negatives", "-x", ["negate"]),
    (["increased by one", "plus one"], "successors", "x + 1", ["increment"]),
    (["decreased by one", "minus one"], "predecessors", "x - 1", ["decrement"]),
    (["without its sign", "replaced by its absolute value"], "absolute values", "abs(x)", ["absolute"]),
    (["halved", "divided by two"], "halves", "x / 2", ["halve"]),
    (["tripled", "multiplied by three"], "triples", "x * 3", ["triple"]),
    (["converted to a string"], "strings", "str(x)", ["to_strings"]),
]
TEXT_VALUES = [
    (["the length of {x}", "the number of characters in {x}", "how many characters {x} has", "how long {x} is", "the number of letters in {x}"], "len({x})", ["length", "count_characters", "size"]),
    (["{x} in upper case", "{x} in capital letters", "{x} with all letters in upper case", "{x} converted to upper case", "the upper case form of {x}", "{x} in uppercase", "{x} converted to uppercase"], "{x}.upper()", ["upper", "shout", "to_upper", "uppercase"]),
    (["{x} in lower case", "{x} in small letters", "{x} with all letters in lower case", "{x} converted to lower case", "{x} in lowercase", "{x} converted to lowercase"], "{x}.lower()", ["lower", "to_lower", "lowercase"]),
    (["{x} reversed", "{x} backwards", "the characters of {x} in reverse order", "{x} read from the end to the start", "{x} spelled backwards", "the reverse of {x}"], "{x}[::-1]", ["reverse", "backwards", "reverse_text"]),
    (["the first character of {x}", "the character at the start of {x}", "the first letter of {x}"], "{x}[0]", ["first_character", "first_letter", "initial"]),
    (["the last character of {x}", "the character at the end of {x}", "the last letter of {x}", "the final character of {x}"], "{x}[-1]", ["last_character", "last_letter"]),
    (["{x} without its first character", "all characters of {x} but the first"], "{x}[1:]", ["drop_first"]),
    (["{x} without its last character", "all characters of {x} but the last"], "{x}[:-1]", ["drop_last", "chop"]),
    (["{x} without spaces at its ends", "{x} with the spaces at both ends removed", "{x} without leading and trailing spaces", "{x} with surrounding spaces removed"], "{x}.strip()", ["strip", "trim", "clean"]),
    (["{x} without spaces", "{x} with all spaces removed"], "{x}.replace(\" \", \"\")", ["remove_spaces", "squeeze"]),
    (["the words of {x}", "a list of the words in {x}", "{x} split into words", "the words in {x} as a list"], "{x}.split()", ["words", "split_words", "to_words"]),
    (["the number of words in {x}", "how many words {x} has", "how many words are in {x}"], "len({x}.split())", ["count_words", "word_count"]),
    (["{x} with its first letter in upper case", "{x} with a capital first letter", "{x} capitalized"], "{x}.capitalize()", ["capitalize", "capital"]),
    (["{x} with upper and lower case swapped", "{x} with the case of each letter changed"], "{x}.swapcase()", ["swap_case", "change_case"]),
    (["{x} repeated twice", "{x} written twice", "{x} followed by itself"], "{x} * 2", ["repeat", "twice"]),
    (["{x} repeated three times", "three copies of {x}"], "{x} * 3", ["thrice"]),
    (["the characters of {x} as a list", "a list of the characters in {x}", "a list of the characters of {x}"], "list({x})", ["characters", "to_list"]),
    (["the characters of {x} in sorted order as a string", "the characters of {x} in alphabetical order"], "\"\".join(sorted({x}))", ["sort_characters"]),
    (["the number of different characters in {x}", "how many different characters {x} has", "the number of distinct characters in {x}"], "len(set({x}))", ["distinct_characters"]),
    (["{x} as an integer", "{x} converted to an integer", "the integer that {x} holds"], "int({x})", ["to_number", "parse_number"]),
    (["{x} with an exclamation mark at the end", "{x} followed by an exclamation mark"], "{x} + \"!\"", ["exclaim", "shout"]),
    (["the first word of {x}", "the first word in {x}"], "{x}.split()[0]", ["first_word"]),
    (["the last word of {x}", "the last word in {x}"], "{x}.split()[-1]", ["last_word"]),
    (["a greeting for {x}, which is hello, a comma, a space and the name"], "\"hello, \" + {x}", ["greet"]),
]
TEXT_CONDITIONS = [
    (["{x} is empty", "{x} is the empty string", "{x} has no characters", "{x} has length zero"], "{x} == \"\"", ["is_empty", "empty"]),
    (["{x} is not empty", "{x} has at least one character"], "{x} != \"\"", ["is_filled", "has_text"]),
    (["{x} is a palindrome", "{x} reads the same backwards", "{x} is the same forwards and backwards", "{x} is equal to its reverse"], "{x} == {x}[::-1]", ["is_palindrome", "palindrome"]),
    (["{x} has only digits", "{x} consists of digits", "all characters of {x} are digits"], "{x}.isdigit()", ["is_digits", "only_digits"]),
    (["{x} has only letters", "{x} consists of letters", "all characters of {x} are letters"], "{x}.isalpha()", ["is_letters", "only_letters"]),
    (["{x} is in upper case", "all letters of {x} are in upper case"], "{x}.isupper()", ["is_upper"]),
    (["{x} is in lower case", "all letters of {x} are in lower case"], "{x}.islower()", ["is_lower"]),
    (["{x} contains a space", "there is a space in {x}"], "\" \" in {x}", ["has_space"]),
    (["{x} contains a digit", "there is a digit in {x}"], "any(c.isdigit() for c in {x})", ["has_digit"]),
]
TWO_TEXTS = [
    (["{a} followed by {b}", "{a} and {b} joined", "{a} with {b} at the end", "the two strings {a} and {b} joined together", "{a} joined with {b}"], "{a} + {b}", ["concatenate", "join_text", "append_text"]),
    (["{a} and {b} with a space between them", "{a} and {b} joined by a space", "{a}, a space and {b}"], "{a} + \" \" + {b}", ["join_with_space", "full_name"]),
    (["the longer of {a} and {b}"], "{a} if len({a}) >= len({b}) else {b}", ["longer"]),
    (["the length of {a} plus the length of {b}", "the total length of {a} and {b}"], "len({a}) + len({b})", ["total_length"]),
]
TWO_TEXT_CONDITIONS = [
    (["{a} contains {b}", "{b} is in {a}", "{b} occurs in {a}", "{b} is a part of {a}", "{b} is a substring of {a}"], "{b} in {a}", ["contains", "has_part", "includes"]),
    (["{a} starts with {b}", "{a} begins with {b}", "{b} is at the start of {a}"], "{a}.startswith({b})", ["starts", "begins_with", "has_prefix"]),
    (["{a} ends with {b}", "{b} is at the end of {a}"], "{a}.endswith({b})", ["ends", "ends_with", "has_suffix"]),
    (["{a} and {b} have the same length", "{a} is as long as {b}"], "len({a}) == len({b})", ["same_length"]),
    (["{a} and {b} are equal when case is ignored", "{a} and {b} are the same apart from case"], "{a}.lower() == {b}.lower()", ["same_ignoring_case"]),
    (["{a} is longer than {b}"], "len({a}) > len({b})", ["is_longer"]),
    (["{a} and {b} have the same characters", "{a} is an anagram of {b}", "{a} and {b} are anagrams"], "sorted({a}) == sorted({b})", ["is_anagram"]),
]
TEXT_AND_NUMBER = [
    (["{a} repeated {b} times", "{b} copies of {a}", "{a} written {b} times"], "{a} * {b}", ["repeat", "copies"]),
    (["the first {b} characters of {a}", "the {b} characters at the start of {a}"], "{a}[:{b}]", ["prefix", "first_characters"]),
    (["{a} without its first {b} characters"], "{a}[{b}:]", ["drop_characters"]),
]
TEXT_AND_CHARACTER = [
    (["how often {b} occurs in {a}", "how many times {b} appears in {a}", "the number of times {b} occurs in {a}", "the number of {b} characters in {a}", "the number of times {b} appears in {a}"], "{a}.count({b})", ["count", "count_character", "occurrences"]),
    (["{a} without {b}", "{a} with every {b} removed"], "{a}.replace({b}, \"\")", ["remove_character", "without"]),
    (["the position of {b} in {a}", "the index of the first {b} in {a}", "the index of {b} in {a}"], "{a}.find({b})", ["position", "find"]),
]
WORD_VALUES = [
    (["the words in {xs} joined by spaces", "the strings in {xs} with spaces between them", "one string of the words in {xs} separated by spaces"], "\" \".join({xs})", ["join_words", "sentence"]),
    (["the words in {xs} joined by commas", "the strings in {xs} separated by commas"], "\",\".join({xs})", ["join_commas", "to_csv"]),
    (["the strings in {xs} joined together", "all strings in {xs} joined into one", "the strings in {xs} put together"], "\"\".join({xs})", ["join_all", "glue"]),
    (["the longest word in {xs}", "the longest string in {xs}"], "max({xs}, key=len)", ["longest", "longest_word"]),
    (["the shortest word in {xs}", "the shortest string in {xs}"], "min({xs}, key=len)", ["shortest"]),
    (["the lengths of the words in {xs}", "a list of the lengths of the strings in {xs}", "the length of each word in {xs}", "the length of each string in {xs}"], "[len(w) for w in {xs}]", ["lengths", "word_lengths"]),
    (["the words in {xs} in upper case", "each word in {xs} in upper case", "a list of the strings in {xs} in upper case"], "[w.upper() for w in {xs}]", ["upper_all", "shout_all"]),
    (["the words in {xs} in lower case", "each word in {xs} in lower case"], "[w.lower() for w in {xs}]", ["lower_all"]),
    (["the first letters of the words in {xs}", "a list of the first letter of each word in {xs}", "the first character of each word in {xs}"], "[w[0] for w in {xs}]", ["initials", "first_letters"]),
    (["each word in {xs} reversed", "the words in {xs} spelled backwards"], "[w[::-1] for w in {xs}]", ["reverse_each"]),
    (["the total length of the words in {xs}", "the total number of characters in {xs}", "the number of characters in all words of {xs}"], "sum(len(w) for w in {xs})", ["total_length"]),
    (["the words in {xs} sorted by length", "{xs} sorted by the length of the words"], "sorted({xs}, key=len)", ["sort_by_length"]),
    (["a dictionary from each word in {xs} to its length", "a dictionary with the length of each word in {xs}"], "{{w: len(w) for w in {xs}}}", ["length_map"]),
]
WORD_CONDITIONS = [  # which words, and the condition on w
    (["that start with a vowel", "that begin with a vowel"], "w[0] in \"aeiou\""),
    (["that are not empty"], "w != \"\""),
    (["that are palindromes", "that read the same backwards"], "w == w[::-1]"),
    (["with more than three letters", "longer than three characters"], "len(w) > 3"),
    (["with at most four letters"], "len(w) <= 4"),
    (["with an even number of letters", "whose length is even"], "len(w) % 2 == 0"),
    (["that contain the letter a", "with an a in them"], "\"a\" in w"),
    (["that end in s", "that end with the letter s"], "w.endswith(\"s\")"),
]
CHARACTER_CONDITIONS = [
    (["vowels"], "c in \"aeiou\"", ["vowels"]),
    (["digits"], "c.isdigit()", ["digits"]),
    (["upper case letters", "capital letters"], "c.isupper()", ["capitals"]),
    (["lower case letters", "small letters"], "c.islower()", ["small_letters"]),
    (["spaces"], "c == \" \"", ["spaces"]),
    (["letters"], "c.isalpha()", ["letters"]),
]
DICTIONARY_VALUES = [
    (["the keys of {x} as a list", "a list of the keys of {x}"], "list({x}.keys())", ["keys"]),
    (["the values of {x} as a list", "a list of the values of {x}"], "list({x}.values())", ["values"]),
    (["the keys of {x} in sorted order", "a sorted list of the keys of {x}"], "sorted({x})", ["sorted_keys"]),
    (["the sum of the values of {x}", "the sum of all values in {x}"], "sum({x}.values())", ["sum_values"]),
    (["the largest value in {x}", "the maximum of the values of {x}"], "max({x}.values())", ["largest_value"]),
    (["the number of entries in {x}", "how many keys {x} has", "the number of keys in {x}"], "len({x})", ["entries", "count_keys"]),
    (["{x} with keys and values swapped", "a dictionary from the values of {x} to its keys"], "{{v: k for k, v in {x}.items()}}", ["invert", "swap"]),
]
LOOPS = [  # statements; {a} is the list or number
    (["the product of the numbers in {a}", "the product of all numbers in {a}", "all numbers in {a} multiplied together", "the product of the elements of {a}"], "l", ["product", "multiply_all"], "result = 1\nfor x in {a}:\n    result *= x\nreturn result"),
    (["the running total of {a}", "the running totals of {a}", "a list of the partial sums of {a}", "the cumulative sums of {a}"], "l", ["running_total", "partial_sums", "cumulative"], "result = []\ntotal = 0\nfor x in {a}:\n    total += x\n    result.append(total)\nreturn result"),
    (["the running maximum of {a}", "a list of the largest number so far at each position of {a}", "the largest number seen so far at each position of {a}"], "l", ["running_maximum", "record_highs"], "result = []\nbest = None\nfor x in {a}:\n    if best is None or x > best:\n        best = x\n    result.append(best)\nreturn result"),
    (["the running minimum of {a}", "a list of the smallest number so far at each position of {a}"], "l", ["running_minimum"], "result = []\nbest = None\nfor x in {a}:\n    if best is None or x < best:\n        best = x\n    result.append(best)\nreturn result"),
    (["the elements of {a} without duplicates, in their order", "the different elements of {a} in the order in which they come first", "{a} without duplicates, keeping the first of each"], "l", ["unique_in_order", "remove_duplicates"], "result = []\nfor x in {a}:\n    if x not in result:\n        result.append(x)\nreturn result"),
    (["a dictionary with how often each element of {a} occurs", "a dictionary from each element of {a} to the number of times that it occurs"], "l", ["count_each", "tally"], "counts = {{}}\nfor x in {a}:\n    counts[x] = counts.get(x, 0) + 1\nreturn counts"),
    (["a dictionary with how often each character of {a} occurs", "a dictionary from each character of {a} to its count"], "t", ["letter_counts", "character_counts"], "counts = {{}}\nfor c in {a}:\n    counts[c] = counts.get(c, 0) + 1\nreturn counts"),
    (["the factorial of {a}", "the product of the numbers from 1 to {a}", "the product of the integers from one to {a}"], "p", ["factorial", "product_up_to"], "result = 1\nfor i in range(1, {a} + 1):\n    result *= i\nreturn result"),
    (["the differences between neighbours in {a}", "the difference of each number in {a} to the one before it", "a list of the differences of consecutive numbers in {a}"], "l", ["differences", "steps"], "return [{a}[i + 1] - {a}[i] for i in range(len({a}) - 1)]"),
    (["the sum of the numbers from 1 to {a}", "the sum of the integers from one to {a}", "the numbers from 1 to {a} added together"], "p", ["sum_up_to", "triangle"], "return sum(range(1, {a} + 1))"),
    (["a list of the numbers from 1 to {a}", "the numbers from 1 to {a} as a list", "the integers from one to {a}"], "p", ["numbers_up_to", "one_to"], "return list(range(1, {a} + 1))"),
    (["a list of the numbers from {a} down to 1", "the numbers from {a} down to 1"], "p", ["countdown"], "return list(range({a}, 0, -1))"),
    (["the even numbers from 0 to {a}", "a list of the even numbers up to {a}"], "p", ["evens_up_to"], "return list(range(0, {a} + 1, 2))"),
    (["the squares of the numbers from 1 to {a}", "a list of the first {a} square numbers"], "p", ["squares_up_to"], "return [i ** 2 for i in range(1, {a} + 1)]"),
    (["a list of the divisors of {a}", "the numbers that divide {a}", "the divisors of {a} in ascending order"], "p", ["divisors"], "return [i for i in range(1, {a} + 1) if {a} % i == 0]"),
    (["a list of {a} zeros", "a list with {a} zeros"], "p", ["zeros"], "return [0] * {a}"),
    (["the index of the largest number in {a}", "the position of the maximum of {a}"], "l", ["index_of_largest"], "return {a}.index(max({a}))"),
    (["the index of the smallest number in {a}", "the position of the minimum of {a}"], "l", ["index_of_smallest"], "return {a}.index(min({a}))"),
    (["the second largest number in {a}", "the second largest element of {a}"], "l", ["second_largest"], "return sorted({a})[-2]"),
    (["the middle element of {a}", "the element in the middle of {a}"], "l", ["middle"], "return {a}[len({a}) // 2]"),
    (["the words of {a} in reverse order as one string", "{a} with the order of its words reversed"], "t", ["reverse_words"], "return \" \".join({a}.split()[::-1])"),
    (["{a} with the first letter of each word in upper case", "{a} with each word capitalized"], "t", ["capitalize_words"], "return \" \".join(w.capitalize() for w in {a}.split())"),
    (["the longest word in {a}", "the longest word of the text {a}"], "t", ["longest_word"], "return max({a}.split(), key=len)"),
    (["a list of the pairs of neighbours in {a}"], "l", ["pairs"], "return [({a}[i], {a}[i + 1]) for i in range(len({a}) - 1)]"),
    (["{a} with each character doubled", "{a} with every character written twice"], "t", ["double_characters"], "return \"\".join(c * 2 for c in {a})"),
]
LOOP_CONDITIONS = [
    (["{a} is empty", "{a} has no elements", "there are no elements in {a}", "{a} is an empty list"], "l", ["is_empty", "empty", "no_items"], "return len({a}) == 0"),
    (["{a} is sorted", "{a} is in ascending order", "the numbers in {a} are in ascending order"], "l", ["is_sorted", "ascending"], "return {a} == sorted({a})"),
    (["{a} has duplicates", "some element occurs twice in {a}", "{a} contains an element more than once"], "l", ["has_duplicates"], "return len(set({a})) != len({a})"),
    (["all elements of {a} are different", "{a} has no duplicates", "the elements of {a} are all different"], "l", ["all_different", "all_unique"], "return len(set({a})) == len({a})"),
    (["{a} is the same backwards", "{a} is equal to its reverse"], "l", ["is_symmetric"], "return {a} == {a}[::-1]"),
    (["{a} is a prime number", "{a} is prime"], "p", ["is_prime", "prime"], "if {a} < 2:\n    return False\nfor i in range(2, {a}):\n    if {a} % i == 0:\n        return False\nreturn True"),
    (["the first and the last element of {a} are equal"], "l", ["same_ends"], "return {a}[0] == {a}[-1]"),
    (["{a} is a multiple of three", "{a} is divisible by three", "{a} is divisible by 3"], "n", ["divisible_by_three"], "return {a} % 3 == 0"),
    (["{a} is a square number", "{a} is a perfect square"], "p", ["is_square"], "return int({a} ** 0.5) ** 2 == {a}"),
    (["both {a} and {b} are positive", "{a} and {b} are both positive"], "nn", ["both_positive"], "return {a} > 0 and {b} > 0"),
    (["{a} or {b} is negative", "at least one of {a} and {b} is negative"], "nn", ["any_negative"], "return {a} < 0 or {b} < 0"),
    (["{a} is divisible by {b}", "{a} is a multiple of {b}", "{b} divides {a}"], "np", ["is_multiple", "divisible", "divides"], "return {a} % {b} == 0"),
    (["{b} is in {a}", "{a} contains {b}", "{b} is an element of {a}", "{b} occurs in {a}"], "ln", ["contains", "has_item", "is_in"], "return {b} in {a}"),
    (["{a} is between {b} and {c}", "{a} lies between {b} and {c}"], "nnn", ["is_between", "in_range"], "return {b} <= {a} <= {c}"),
    (["{b} is a key of {a}", "{a} has the key {b}"], "dc", ["has_key"], "return {b} in {a}"),
]
BRANCHES = [  # whole sentences
    ("Return {a} if it is positive, otherwise return 0.", "n", ["positive_or_zero", "floor_at_zero"], "if {a} > 0:\n    return {a}\nreturn 0"),
    ("Return {a}, but 0 where {a} is negative.", "n", ["no_negative"], "if {a} < 0:\n    return 0\nreturn {a}"),
    ("Return 1 if {a} is positive, -1 if it is negative and 0 if it is zero.", "n", ["sign", "direction"], "if {a} > 0:\n    return 1\nif {a} < 0:\n    return -1\nreturn 0"),
    ("Return the sign of {a}: 1, 0 or -1.", "n", ["sign"], "if {a} > 0:\n    return 1\nif {a} < 0:\n    return -1\nreturn 0"),
    ("Return {a}, but at least {b} and at most {c}.", "nnn", ["limit", "bound"], "return max({b}, min({a}, {c}))"),
    ("Limit {a} to the range from {b} to {c}.", "nnn", ["limit", "to_range"], "return max({b}, min({a}, {c}))"),
    ("Return {a}, or {b} if {a} is larger than {b}.", "nn", ["cap", "at_most"], "return min({a}, {b})"),
    ("Return the word even if {a} is even, otherwise the word odd.", "n", ["parity", "even_or_odd"], "if {a} % 2 == 0:\n    return \"even\"\nreturn \"odd\""),
    ("Return \"even\" or \"odd\", whichever {a} is.", "n", ["parity"], "if {a} % 2 == 0:\n    return \"even\"\nreturn \"odd\""),
    ("Return \"positive\" if {a} is above zero, else \"negative\".", "n", ["describe"], "if {a} > 0:\n    return \"positive\"\nreturn \"negative\""),
    ("Return \"yes\" if {a} is larger than {b} and \"no\" otherwise.", "nn", ["yes_or_no"], "if {a} > {b}:\n    return \"yes\"\nreturn \"no\""),
    ("Return {a} divided by {b}, or 0 if {b} is zero.", "nn", ["safe_divide"], "if {b} == 0:\n    return 0\nreturn {a} / {b}"),
    ("Return the last element of {a}, or None if there is none.", "l", ["last_or_none"], "if len({a}) == 0:\n    return None\nreturn {a}[-1]"),
    ("Return the sum of {a}, or None if {a} is empty.", "l", ["sum_or_none"], "if len({a}) == 0:\n    return None\nreturn sum({a})"),
    ("Return the largest number in {a}, or None if {a} is empty.", "l", ["largest_or_none"], "if len({a}) == 0:\n    return None\nreturn max({a})"),
    ("Return the largest of {a}, {b} and {c}.", "nnn", ["largest_of_three"], "return max({a}, {b}, {c})"),
    ("Return the smallest of {a}, {b} and {c}.", "nnn", ["smallest_of_three"], "return min({a}, {b}, {c})"),
    ("Return the sum of {a}, {b} and {c}.", "nnn", ["sum_of_three", "add_three"], "return {a} + {b} + {c}"),
    ("Return the product of {a}, {b} and {c}.", "nnn", ["product_of_three"], "return {a} * {b} * {c}"),
    ("Return {a} plus {b} minus {c}.", "nnn", ["plus_minus"], "return {a} + {b} - {c}"),
    ("Return {a} times {b} plus {c}.", "nnn", ["times_plus", "linear"], "return {a} * {b} + {c}"),
    ("Swap {a} and {b} and return them as a tuple.", "nn", ["swap"], "return ({b}, {a})"),
    ("Return {a} and {b} as a list.", "nn", ["pair"], "return [{a}, {b}]"),
    ("Return a tuple of the smallest and the largest number in {a}.", "l", ["extremes"], "return (min({a}), max({a}))"),
    ("Return the value of the key {b} in {a}, or 0 if it is not there.", "dc", ["lookup", "get_value"], "return {a}.get({b}, 0)"),
    ("Return \"long\" if {a} has more than five characters, else \"short\".", "t", ["long_or_short"], "if len({a}) > 5:\n    return \"long\"\nreturn \"short\""),
    ("Return {a} with a full stop at the end unless there is one.", "t", ["end_sentence"], "if {a}.endswith(\".\"):\n    return {a}\nreturn {a} + \".\""),
    ("Return {a} unchanged.", "n", ["identity", "same"], "return {a}"),
]
VALUE_FRAMES = ["Return {x}."] * 8 + ["Returns {x}.", "Compute {x}.", "Compute and return {x}.", "Give {x}.", "Find {x}.", "Calculate {x}.", "Get {x}."]
CONDITION_FRAMES = ["Return True if {x}, else False.", "Return True if {x}.", "Return True if {x}, otherwise False.", "Return whether {x}.", "Check if {x}.", "Check whether {x}.", "Tell whether {x}.", "Return True when {x}.", "Return True if {x} and False otherwise."]
WORDS = "apple river stone cloud tiger green small quick house table level radar noon hello world python code light water music paper happy train seven orange banana grass night open door sun moon stars tree bird fish on it a is the".split()
ARGUMENTS = {
    "n": ["a", "b", "x", "y", "n", "m", "number", "value", "first", "second", "k", "left", "right", "num", "i", "j", "p", "q", "count", "amount"],
    "p": ["n", "k", "size", "limit", "count", "number", "m", "steps", "times", "width"],
    "l": ["numbers", "values", "items", "nums", "xs", "lst", "data", "elements", "array", "arr", "sequence", "scores", "prices"],
    "t": ["text", "s", "string", "word", "name", "line", "sentence", "phrase", "message", "title"],
    "w": ["words", "strings", "names", "texts", "items", "lines", "parts"],
    "c": ["letter", "char", "character", "symbol", "c", "key", "mark"],
    "d": ["mapping", "d", "table", "prices", "ages", "counts", "lookup"],
}
NOUNS = {
    "n": ["the number"],
    "p": ["the number"],
    "l": ["the list", "the list", "the numbers"],
    "t": ["the text", "the string"],
    "w": ["the words", "the list", "the strings"],
    "c": ["the letter", "the character"],
    "d": ["the dictionary"],
}


def tasks_of(rng: Random) -> Task:
    """One task, drawn by family so that no family drowns the others."""
    return rng.choice(FAMILIES)(rng)


def _said(rng: Random, rows: list, kinds: str, kind: str = "value", x: str = "{a}", k: str = "{b}") -> Task:
    phrases, expression, names, *_ = rng.choice(rows)
    fill = {"x": x, "xs": x, "k": k, "a": "{a}", "b": "{b}", "c": "{c}"}
    return Task(rng.choice(phrases).format(**fill), f"return {expression.format(**fill)}", kinds, kind, tuple(names))


def _number_map(rng: Random) -> Task:
    return _said(rng, NUMBER_MAPS, "n")


def _composed_map(rng: Random) -> Task:
    """A number computed from a pair of numbers or a list: "the square of the sum of {a}"."""
    inner = rng.choice([lambda: _said(rng, LIST_VALUES[:3], "l"), lambda: _said(rng, PAIRS_OF_NUMBERS[:5], "nn"), lambda: _said(rng, TEXT_VALUES[:1], "t")])()
    phrases, expression, names = rng.choice(NUMBER_MAPS[:8])
    value = inner.body.removeprefix("return ")
    simple = value.endswith(")") and value.count("(") == 1
    phrase = rng.choice([p for p in phrases if p.endswith("{x}")] or phrases)
    return Task(phrase.format(x=inner.phrase), f"return {expression.format(x=value if simple else f'({value})')}", inner.kinds, "value", (f"{names[0]}_{inner.names[0]}",))


def _number_plus_constant(rng: Random) -> Task:
    k = rng.randint(2, 20)
    phrase, expression = rng.choice([
        (f"{{a}} plus {k}", f"{{a}} + {k}"), (f"{{a}} minus {k}", f"{{a}} - {k}"), (f"{{a}} times {k}", f"{{a}} * {k}"),
        (f"the sum of {{a}} and {k}", f"{{a}} + {k}"), (f"{k} times {{a}}", f"{k} * {{a}}"),
        (f"the remainder of {{a}} divided by {k}", f"{{a}} % {k}"), (f"{{a}} multiplied by {k}", f"{{a}} * {k}"),
    ])  # fmt: skip
    return Task(phrase, f"return {expression}", "n", "value", ("change", "adjust", "apply"))


def _number_condition(rng: Random) -> Task:
    if rng.random() < 0.5:
        return _said(rng, NUMBER_CONDITIONS, "n", "condition")
    if rng.random() < 0.7:
        return _said(rng, NUMBER_LIMIT_CONDITIONS, "nn", "condition")
    return _said(rng, NUMBER_LIMIT_CONDITIONS, "n", "condition", k=str(rng.randint(1, 30)))


def _filter(rng: Random) -> tuple[str, str, str]:
    """Which numbers: ("even numbers in {a}", condition on x, kinds)."""
    if rng.random() < 0.6:
        _, condition, _, adjective = rng.choice(NUMBER_CONDITIONS)
        return f"{adjective} numbers in {{a}}", condition.format(x="x"), "l"
    _, condition, _, adjectives = rng.choice(NUMBER_LIMIT_CONDITIONS)
    k, kinds = rng.choice([("{b}", "ln"), (str(rng.randint(1, 20)), "l")])
    which = rng.choice(adjectives).format(k=k)
    return rng.choice([f"numbers in {{a}} that are {which}", f"numbers {which} in {{a}}", f"elements of {{a}} {which}"]), condition.format(x="x", k=k), kinds


def _list_filter(rng: Random) -> Task:
    which, condition, kinds = _filter(rng)
    phrase = rng.choice(["the {}", "a list of the {}", "only the {}", "all {}", "the list of {}"]).format(which)
    if rng.random() < 0.8:
        body = f"return [x for x in {{a}} if {condition}]"
    else:
        body = f"result = []\nfor x in {{a}}:\n    if {condition}:\n        result.append(x)\nreturn result"
    return Task(phrase, body, kinds, "value", ("keep", "select", "filter_numbers", "only"))


def _list_count(rng: Random) -> Task:
    which, condition, kinds = _filter(rng)
    phrase = rng.choice(["the number of {}", "how many {} there are", "the count of {}"]).format(which)
    body = "count = 0\nfor x in {a}:\n    if " + condition + ":\n        count += 1\nreturn count"
    if rng.random() < 0.5:
        body = f"return sum(1 for x in {{a}} if {condition})"
    return Task(phrase, body, kinds, "value", ("count", "how_many", "count_if"))


def _filtered_sum(rng: Random) -> Task:
    which, condition, kinds = _filter(rng)
    phrase, function = rng.choice([("the sum of the {}", "sum"), ("the total of the {}", "sum"), ("the sum of all {}", "sum"), ("the largest of the {}", "max"), ("the smallest of the {}", "min")])
    return Task(phrase.format(which), f"return {function}(x for x in {{a}} if {condition})", kinds, "value", (f"{function}_of", "total"))


def _list_any_all(rng: Random) -> Task:
    phrases, condition, _, adjective = rng.choice(NUMBER_CONDITIONS)
    which, function = rng.choice([
        (f"all numbers in {{a}} are {adjective}", "all"), (f"any number in {{a}} is {adjective}", "any"),
        (f"every number in {{a}} is {adjective}", "all"), (f"at least one number in {{a}} is {adjective}", "any"),
        (f"there is a number in {{a}} that is {adjective}", "any"),
    ])  # fmt: skip
    return Task(which, f"return {function}({condition.format(x='x')} for x in {{a}})", "l", "condition", (f"{function}_{adjective.replace('-', '_')}",))


def _list_map(rng: Random) -> Task:
    forms, plural, expression, names = rng.choice(EACH_NUMBER)
    phrase = rng.choice([
        f"{{a}} with each number {rng.choice(forms)}", f"the {plural} of the numbers in {{a}}", f"a list of the {plural} of the numbers in {{a}}",
        f"each number in {{a}} {rng.choice(forms)}", f"a list with each number of {{a}} {rng.choice(forms)}", f"the {plural} of all numbers in {{a}}",
        f"a list with the {plural} of {{a}}",
    ])  # fmt: skip
    return Task(phrase, f"return [{expression} for x in {{a}}]", "l", "value", (f"{names[0]}_all", f"{names[0]}_each", f"map_{names[0]}"))


def _mapped_sum(rng: Random) -> Task:
    _, plural, expression, names = rng.choice(EACH_NUMBER[:7])
    phrase = rng.choice([f"the sum of the {plural} of the numbers in {{a}}", f"the sum of the {plural} of {{a}}"])
    return Task(phrase, f"return sum({expression} for x in {{a}})", "l", "value", (f"sum_{names[0]}",))


def _mapped_filter(rng: Random) -> Task:
    which, condition, kinds = _filter(rng)
    _, plural, expression, _ = rng.choice(EACH_NUMBER[:7])
    return Task(f"the {plural} of the {which}", f"return [{expression} for x in {{a}} if {condition}]", kinds, "value", ("select_and_change",))


def _word_filter(rng: Random) -> Task:
    phrases, condition = rng.choice(WORD_CONDITIONS)
    which = rng.choice(phrases)
    if rng.random() < 0.3:
        k, condition = rng.choice([("{b}", "len(w) > {b}"), ("{b}", "len(w) == {b}"), ("{b}", "len(w) < {b}")])
        relation = {">": "longer than", "=": "of length", "<": "shorter than"}[condition[7]]
        phrase = rng.choice([f"the words in {{a}} {relation} {k}", f"the strings in {{a}} {relation} {k}"])
        return Task(phrase, f"return [w for w in {{a}} if {condition}]", "wp", "value", ("words_by_length",))
    if rng.random() < 0.5:
        return Task(rng.choice(["the number of words in {a} ", "how many words in {a} there are "]) + which, f"return sum(1 for w in {{a}} if {condition})", "w", "value", ("count_words",))
    return Task(rng.choice(["the words in {a} ", "a list of the words in {a} ", "the strings in {a} "]) + which, f"return [w for w in {{a}} if {condition}]", "w", "value", ("select_words", "keep_words"))


def _character_filter(rng: Random) -> Task:
    phrases, condition, names = rng.choice(CHARACTER_CONDITIONS)
    which = rng.choice(phrases)
    draw = rng.random()
    if draw < 0.5:
        body = f"return sum(1 for c in {{a}} if {condition})"
        if rng.random() < 0.5:
            body = "count = 0\nfor c in {a}:\n    if " + condition + ":\n        count += 1\nreturn count"
        return Task(rng.choice([f"the number of {which} in {{a}}", f"how many {which} {{a}} has", f"how many {which} are in {{a}}"]), body, "t", "value", (f"count_{names[0]}",))
    if draw < 0.8:
        return Task(rng.choice([f"{{a}} without its {which}", f"{{a}} with all {which} removed", f"{{a}} without {which}"]), f"return \"\".join(c for c in {{a}} if not {condition})" if " in " not in condition and "==" not in condition else "return \"\".join(c for c in {a} if " + condition.replace(" in ", " not in ").replace("==", "!=") + ")", "t", "value", (f"remove_{names[0]}",))
    return Task(rng.choice([f"only the {which} of {{a}}", f"the {which} of {{a}} as a string", f"the {which} in {{a}}"]), f"return \"\".join(c for c in {{a}} if {condition})", "t", "value", (f"only_{names[0]}",))


def _loop(rng: Random) -> Task:
    phrases, kinds, names, body = rng.choice(LOOPS)
    return Task(rng.choice(phrases), body.replace("{{", "{").replace("}}", "}") if "{{" in body else body, kinds, "value", tuple(names))


def _loop_condition(rng: Random) -> Task:
    phrases, kinds, names, body = rng.choice(LOOP_CONDITIONS)
    return Task(rng.choice(phrases), body, kinds, "condition", tuple(names))


def _branch(rng: Random) -> Task:
    sentence, kinds, names, body = rng.choice(BRANCHES)
    return Task(sentence, body, kinds, "sentence", tuple(names))


FAMILIES: list[Callable[[Random], Task]] = (
    [lambda r: _said(r, PAIRS_OF_NUMBERS, "nn")] * 5
    + [lambda r: _said(r, NUMBER_AND_POSITIVE, "np")] * 2
    + [_number_map] * 5
    + [_number_plus_constant] * 2
    + [_composed_map] * 2
    + [_number_condition] * 5
    + [lambda r: _said(r, LIST_VALUES, "l")] * 4
    + [lambda r: _said(r, ANY_LIST_VALUES, "l")] * 5
    + [lambda r: _said(r, LIST_AND_NUMBER, "ln")] * 3
    + [lambda r: _said(r, TWO_LISTS, "ll")] * 2
    + [_list_filter] * 4
    + [_list_count] * 3
    + [_filtered_sum] * 2
    + [_list_any_all] * 2
    + [_list_map] * 4
    + [_mapped_sum, _mapped_filter]
    + [lambda r: _said(r, TEXT_VALUES, "t")] * 7
    + [lambda r: _said(r, TEXT_CONDITIONS, "t", "condition")] * 2
    + [lambda r: _said(r, TWO_TEXTS, "tt")] * 2
    + [lambda r: _said(r, TWO_TEXT_CONDITIONS, "tt", "condition")] * 2
    + [lambda r: _said(r, TEXT_AND_NUMBER, "tp")]
    + [lambda r: _said(r, TEXT_AND_CHARACTER, "tc")] * 2
    + [lambda r: _said(r, WORD_VALUES, "w")] * 3
    + [_word_filter] * 2
    + [_character_filter] * 3
    + [lambda r: _said(r, DICTIONARY_VALUES, "d")]
    + [_loop] * 6
    + [_loop_condition] * 4
    + [_branch] * 5
)


def _argument(rng: Random, kind: str) -> object:
    if kind == "n":
        return rng.choice([rng.randint(-10, 10), rng.randint(0, 20), rng.randint(-100, 100)])
    if kind == "p":
        return rng.randint(1, 7)
    if kind == "l":
        return [rng.randint(-9, 20) if rng.random() < 0.5 else rng.randint(0, 9) for _ in range(rng.randint(2, 5))]
    if kind == "t":
        return " ".join(rng.choice(WORDS) for _ in range(rng.choice([1, 1, 1, 2, 3])))
    if kind == "w":
        return [rng.choice(WORDS) for _ in range(rng.randint(2, 4))]
    if kind == "c":
        return rng.choice("abcdeilnorst")
    return {rng.choice("abcdexyz"): rng.randint(0, 20) for _ in range(rng.randint(1, 3))}


def _returned(name: str, source: str, arguments: list[object]) -> str | None:
    """What the function returns, as source; None where it raises or the text is long."""
    scope: dict = {}
    exec(source, scope)
    try:
        text = repr(scope[name](*arguments))
    except (ValueError, IndexError, ZeroDivisionError, OverflowError):
        return None
    return text if len(text) <= 60 else None


def _fill(template: str, arguments: list[str]) -> str:
    """Put the arguments' names in place of {a}, {b} and {c}; other braces are Python's own."""
    for letter, argument in zip("abc", arguments, strict=False):
        template = template.replace("{" + letter + "}", argument)
    return template


def _argument_names(rng: Random, kinds: str, identifiers: list[str]) -> list[str]:
    names: list[str] = []
    for kind in kinds:
        pool = ARGUMENTS[kind] if rng.random() < 0.6 else identifiers
        choice = rng.choice([n for n in pool if n not in names and n not in {"x", "w", "c", "i"} or pool is not identifiers and kind in "nt" and n not in names])
        names.append(choice)
    return names


def generate(
    rng: Random,
    identifiers: list[str],
    *,
    examples: float,
    keep: Callable[[Example], bool],
    draw: Callable[[Random], Task] = tasks_of,
) -> Example:
    """One function that ``keep`` accepts, with ``>>>`` lines in its docstring in a share ``examples`` of the cases."""
    while True:
        example = _generate(rng, identifiers, examples, draw)
        if example is not None and keep(example):
            return example


def _generate(
    rng: Random, identifiers: list[str], examples: float, draw: Callable[[Random], Task]
) -> Example | None:
    task = draw(rng)
    arguments = _argument_names(rng, task.kinds, identifiers)
    if _clashes(task, arguments):
        return None
    name = rng.choice(task.names) if task.names and rng.random() < 0.5 else rng.choice(identifiers)
    if name in arguments:
        return None
    frames = {"value": VALUE_FRAMES, "condition": CONDITION_FRAMES, "sentence": ["{x}"]}[task.kind]
    phrase = _by_noun(rng, task)
    template = rng.choice(frames).replace("{x}", phrase)
    head = f"def {name}({', '.join(arguments)}):\n"
    solution = "".join(f"{INDENT}{line}\n" for line in _fill(task.body, arguments).split("\n"))
    lines = _example_lines(rng, task, name, head + solution) if rng.random() < examples else []
    if lines is None:
        return None
    sentence = _fill(template, arguments)
    prompt = f'{head}{INDENT}"""{sentence}'
    if lines:
        prompt += "\n\n" + "".join(f"{INDENT}{line}\n" for line in lines) + f'{INDENT}"""\n'
    else:
        prompt += '"""\n' if rng.random() < 0.7 else f'\n{INDENT}"""\n'
    return Example(prompt, solution, name, core(sentence, arguments), task.kinds)


def _by_noun(rng: Random, task: Task) -> str:
    """The phrase, in a third of the cases with an argument called by what it is: "the list", "the words"."""
    phrase = task.phrase
    if rng.random() < 0.6:
        return phrase
    for letter, kind in zip("abc", task.kinds, strict=False):
        if rng.random() < 0.8:
            phrase = phrase.replace(f"{{{letter}}}", rng.choice([*NOUNS[kind], f"the {{{letter}}}"]))
    return phrase


def _clashes(task: Task, arguments: list[str]) -> bool:
    """Whether an argument has the name of one of the body's own variables."""
    own = set(re.findall(r"\bfor (\w+)", task.body)) | set(re.findall(r"^(\w+) = ", task.body, re.MULTILINE))
    own |= {"y", "k", "v"} if "x, y" in task.body or "k, v" in task.body else set()
    return bool(own & set(arguments))


def _example_lines(rng: Random, task: Task, name: str, source: str) -> list[str] | None:
    lines = []
    for _ in range(rng.choice([1, 1, 2])):
        values = [_argument(rng, kind) for kind in task.kinds]
        result = _returned(name, source, values)
        if result is None:
            return None
        lines += [f">>> {name}({', '.join(map(repr, values))})"] + ([result] if result != "None" else [])
    return lines


def core(sentence: str, arguments: list[str]) -> str:
    """What a docstring's first sentence asks for: without "Return" and its like, and without the arguments' names.

    Two functions whose sentences have the same core are the same task said in the same words.
    """
    for argument in arguments:
        sentence = re.sub(rf"\b{re.escape(argument)}\b", "_", sentence)
    words = re.sub(r"[^a-z0-9_]+", " ", sentence.lower()).strip()
    words = re.sub(r"^(compute and return|returns?|compute|give|find|calculate|get|check|tell) ", "", words)
    words = re.sub(r"^(true if|true when|if|whether) ", "", words)
    words = re.sub(r" (else false|otherwise false|and false otherwise)$", "", words)
    return re.sub(r"^(a|the) ", "", words)


def stream(
    seed: int,
    identifiers: list[str],
    *,
    examples: float,
    keep: Callable[[Example], bool],
    draw: Callable[[Random], Task] = tasks_of,
) -> Iterator[Example]:
    """Functions without end of the tasks that ``draw`` gives, the same for the same seed."""
    rng = Random(seed)
    while True:
        yield generate(rng, identifiers, examples=examples, keep=keep, draw=draw)
