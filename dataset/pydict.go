package dataset

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parsePyDict reads the subset of Python literals that NumPy writes as an array
// header: a dictionary with string keys whose values are strings, True, False
// or tuples of whole numbers. A list (a structured type) becomes nil. at is the
// position in s where the reading stopped.
func parsePyDict(s string) (dict map[string]any, at int, err error) {
	p := &pyParser{s: s}
	dict, err = p.dict()
	return dict, p.at, err
}

type pyParser struct {
	s  string
	at int
}

func (p *pyParser) space() {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.at]) >= 0 {
		p.at++
	}
}

// peek returns the next byte that is not a space, or 0 at the end.
func (p *pyParser) peek() byte {
	p.space()
	if p.at == len(p.s) {
		return 0
	}
	return p.s[p.at]
}

func (p *pyParser) accept(c byte) bool {
	if c == 0 || p.peek() != c {
		return false
	}
	p.at++
	return true
}

func (p *pyParser) dict() (map[string]any, error) {
	if !p.accept('{') {
		return nil, errors.New("want a dictionary in braces")
	}
	dict := map[string]any{}
	for !p.accept('}') {
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		if !p.accept(':') {
			return nil, fmt.Errorf("want a colon after the key %q", key)
		}
		value, err := p.value()
		if err != nil {
			return nil, fmt.Errorf("value of %q: %w", key, err)
		}
		if _, twice := dict[key]; twice {
			return nil, fmt.Errorf("the key %q appears twice", key)
		}
		dict[key] = value
		if !p.accept(',') && p.peek() != '}' {
			return nil, errors.New("want a comma or the closing brace")
		}
	}
	if p.peek() != 0 {
		return nil, errors.New("text follows the dictionary")
	}
	return dict, nil
}

func (p *pyParser) str() (string, error) {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		return "", errors.New("want a string in quotes")
	}
	end := strings.IndexByte(p.s[p.at+1:], quote)
	if end < 0 {
		return "", errors.New("a string without its closing quote")
	}
	text := p.s[p.at+1 : p.at+1+end]
	if strings.ContainsAny(text, "\\\n") {
		return "", errors.New("a string with escapes")
	}
	p.at += end + 2
	return text, nil
}

func (p *pyParser) value() (any, error) {
	switch p.peek() {
	case '\'', '"':
		return p.str()
	case '(':
		return p.tuple()
	case '[':
		return nil, p.skipList()
	}
	for word, value := range map[string]bool{"True": true, "False": false} {
		if strings.HasPrefix(p.s[p.at:], word) {
			p.at += len(word)
			return value, nil
		}
	}
	return nil, errors.New("want a string, True, False or a tuple")
}

// tuple reads (), (3,), (3, 4); Python 2 wrote its long numbers as 3L.
func (p *pyParser) tuple() ([]int64, error) {
	p.accept('(')
	tuple := []int64{}
	for !p.accept(')') {
		p.space()
		start := p.at
		for p.at < len(p.s) && (p.s[p.at] >= '0' && p.s[p.at] <= '9' || p.s[p.at] == '-') {
			p.at++
		}
		v, err := strconv.ParseInt(p.s[start:p.at], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number of 64 bits", p.s[start:p.at])
		}
		p.accept('L')
		tuple = append(tuple, v)
		if !p.accept(',') && p.peek() != ')' {
			return nil, errors.New("want a comma or the closing parenthesis")
		}
	}
	return tuple, nil
}

// skipList passes over a bracketed list; its content does not matter because
// structured types are not read.
func (p *pyParser) skipList() error {
	depth := 0
	for p.at < len(p.s) {
		switch p.s[p.at] {
		case '[':
			depth++
		case ']':
			depth--
		}
		p.at++
		if depth == 0 {
			return nil
		}
	}
	return errors.New("a list without its closing bracket")
}
