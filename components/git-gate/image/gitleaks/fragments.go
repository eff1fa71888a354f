package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/rs/zerolog"
	"github.com/spf13/viper"
	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/logging"
)

// No frame is longer: what cuts the content keeps far below.
const maxFrame = 64 << 20

// place says where a text stands: Kind "" is a file's content, for which the rules' paths count.
type place struct {
	Kind   string `json:"kind"`
	Commit string `json:"commit"`
	File   string `json:"file"`
	Line   int    `json:"line"`
}

// found is a line of the output. It never holds what was found.
type found struct {
	Rule string `json:"rule"`
	place
}

type fragment struct {
	place
	text string
}

func (f fragment) detect(detector *detect.Detector) (all []found) {
	raw := detect.Fragment{Raw: f.text, CommitSHA: f.Commit, StartLine: f.Line}
	if f.Kind == "" {
		raw.FilePath = f.File
	}
	for _, finding := range detector.DetectContext(context.Background(), raw) {
		at := f.place
		at.Line = finding.StartLine
		all = append(all, found{finding.RuleID, at})
	}
	return all
}

// fragments reads frames, each a big-endian uint32 and as many bytes: first a configuration (TOML; empty: the
// default rules), then pairs of a place (JSON) and its text, up to an empty frame. Writes a JSON line for each
// finding and at last {"fragments": N, "bytes": N}, which is missing where anything went wrong.
//
// `gitleaks git` is no use against someone who means it: it takes no notice when git fails, leaves the rest
// unread where its parser of patches stumbles, and skips files named like its own configuration.
func fragments(in io.Reader, out, failures io.Writer) int {
	if err := scan(bufio.NewReaderSize(in, 1<<20), out); err != nil {
		fmt.Fprintln(failures, err)
		return 1
	}
	return 0
}

func scan(in io.Reader, out io.Writer) error {
	logging.Logger = zerolog.Nop()
	text, err := frame(in)
	if err != nil {
		return err
	}
	detector, err := newDetector(text)
	if err != nil {
		return err
	}
	var (
		mutex   sync.Mutex
		group   sync.WaitGroup
		count   int
		size    int64
		failure error
		encoder = json.NewEncoder(out)
		queue   = make(chan fragment, 2*runtime.GOMAXPROCS(0))
	)
	for range runtime.GOMAXPROCS(0) {
		group.Add(1)
		go func() {
			defer group.Done()
			for next := range queue {
				findings := next.detect(detector)
				mutex.Lock()
				for _, finding := range findings {
					if err := encoder.Encode(finding); err != nil {
						failure = err
					}
				}
				mutex.Unlock()
			}
		}()
	}
	for {
		head, err := frame(in)
		if err != nil {
			return err
		}
		if len(head) == 0 {
			break
		}
		body, err := frame(in)
		if err != nil {
			return err
		}
		next := fragment{text: string(body)}
		if err := json.Unmarshal(head, &next.place); err != nil {
			return err
		}
		count++
		size += int64(len(body))
		queue <- next
	}
	close(queue)
	group.Wait()
	if failure != nil {
		return failure
	}
	return encoder.Encode(map[string]int64{"fragments": int64(count), "bytes": size})
}

func frame(in io.Reader) ([]byte, error) {
	var length uint32
	if err := binary.Read(in, binary.BigEndian, &length); err != nil {
		return nil, fmt.Errorf("the input is cut short: %w", err)
	}
	if length > maxFrame {
		return nil, fmt.Errorf("a frame has %d bytes", length)
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, fmt.Errorf("the input is cut short: %w", err)
	}
	return data, nil
}

// newDetector panics, as gitleaks does, on a rule whose regular expression is none; the caller sees the exit status.
func newDetector(text []byte) (*detect.Detector, error) {
	if len(text) == 0 {
		text = []byte(config.DefaultConfig)
	}
	viper.SetConfigType("toml")
	if err := viper.ReadConfig(bytes.NewReader(text)); err != nil {
		return nil, err
	}
	var given config.ViperConfig
	if err := viper.Unmarshal(&given); err != nil {
		return nil, err
	}
	rules, err := given.Translate()
	if err != nil {
		return nil, err
	}
	if len(rules.Rules) == 0 {
		return nil, fmt.Errorf("it has no rules; add some, or [extend] useDefault = true")
	}
	detector := detect.NewDetector(rules)
	detector.Config.Path = ""
	detector.IgnoreGitleaksAllow = true
	detector.MaxDecodeDepth = 2
	return detector, nil
}
