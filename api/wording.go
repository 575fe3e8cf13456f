package api

import (
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/curbstop/curbstop/casework"
)

// huma's texts become both languages, separated by a character that no text
// has; a third part names the field below the place that huma points at.
const separator = "\x1f"

func bothLanguages(zh, en string) string { return zh + separator + en }

// wordValidation gives huma's validation its words. A text that is not here
// falls back to a general one in fieldFault, so that none is ever passed on as
// it is: some of huma's texts repeat the value.
func wordValidation() {
	validation.MsgUnexpectedProperty = bothLanguages("没有这个填报项", "there is no such field")
	validation.MsgExpectedRFC3339DateTime = bothLanguages("时间应写作 2026-12-08T09:30:00+08:00，且确有这一时刻", "must be a time such as 2026-12-08T09:30:00+08:00")
	validation.MsgExpectedRFC3339Date = bothLanguages("日期应写作 2026-12-08，且确有这一天", "must be a date that exists, such as 2026-12-08")
	validation.MsgExpectedBoolean = bothLanguages("应为 true 或 false", "must be true or false")
	validation.MsgExpectedNumber = bothLanguages("应为数字", "must be a number")
	validation.MsgExpectedInteger = bothLanguages("应为整数", "must be a whole number")
	validation.MsgExpectedString = bothLanguages("应为文字", "must be text")
	validation.MsgExpectedArray = bothLanguages("应为列表", "must be a list")
	validation.MsgExpectedObject = bothLanguages("应为一组填报项（JSON 对象）", "must be a JSON object")
	validation.MsgExpectedArrayItemsUnique = bothLanguages("有重复项", "has an entry twice")
	validation.MsgExpectedOneOf = bothLanguages("应为以下之一：%[1]s", "must be one of: %[1]s")
	validation.MsgExpectedMinimumNumber = bothLanguages("应不小于 %[1]v", "must be at least %[1]v")
	validation.MsgExpectedMaximumNumber = bothLanguages("应不大于 %[1]v", "must be at most %[1]v")
	validation.MsgExpectedMinLength = bothLanguages("至少 %[1]d 个字符", "must have at least %[1]d characters")
	validation.MsgExpectedMaxLength = bothLanguages("最多 %[1]d 个字符", "must have at most %[1]d characters")
	validation.MsgExpectedMinItems = bothLanguages("至少 %[1]d 项", "must have at least %[1]d entries")
	validation.MsgExpectedMaxItems = bothLanguages("最多 %[1]d 项", "must have at most %[1]d entries")
	validation.MsgExpectedBePattern = bothLanguages("应为%[1]s", "must be %[1]s")
	validation.MsgExpectedMatchPattern = bothLanguages("格式应符合 %[1]s", "must match %[1]s")
	validation.MsgExpectedRequiredProperty = bothLanguages("此项必填", "required") + separator + "%[1]s"
}

// spoken are the texts that huma has no variables for.
var spoken = map[string]casework.Text{
	"unknown query parameter":                                         casework.Say("没有这个查询条件", "there is no such query parameter"),
	"invalid integer":                                                 casework.Say("应为整数", "must be a whole number"),
	"invalid float":                                                   casework.Say("应为数字", "must be a number"),
	"invalid boolean":                                                 casework.Say("应为 true 或 false", "must be true or false"),
	"required query parameter is missing":                             casework.Say("此查询条件必填", "this query parameter is required"),
	"required header parameter is missing":                            casework.Say("此请求头必填", "this header is required"),
	"required path parameter is missing":                              casework.Say("网址不完整", "the address is incomplete"),
	"expected at most one value, but received multiple values":        casework.Say("只能填一个", "takes one value only"),
	"expected value to match exactly one schema but matched none":     casework.Say("内容不符合要求", "does not fit"),
	"expected value to match at least one schema but matched none":    casework.Say("内容不符合要求", "does not fit"),
	"expected value to match exactly one schema but matched multiple": casework.Say("内容不符合要求", "does not fit"),
}

func fieldFaults(errs []error) []casework.FieldFault {
	faults := make([]casework.FieldFault, 0, len(errs))
	for _, err := range errs {
		faults = append(faults, fieldFault(err))
	}
	return faults
}

func fieldFault(err error) casework.FieldFault {
	var detail *huma.ErrorDetail
	if !errors.As(err, &detail) {
		detail = &huma.ErrorDetail{}
	}
	// Callers know fields by their own names, not by the part of the request
	// that huma found them in.
	field := detail.Location
	for _, part := range []string{"body", "query", "path", "header", "form"} {
		if rest, ok := strings.CutPrefix(field, part); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			field = strings.TrimPrefix(rest, ".")
			break
		}
	}
	parts := strings.Split(detail.Message, separator)
	text, known := spoken[detail.Message]
	switch {
	case len(parts) > 2:
		field = strings.TrimPrefix(field+"."+parts[2], ".")
		fallthrough
	case len(parts) > 1:
		text = casework.Say(parts[0], parts[1])
	case !known:
		text = casework.Say("无法识别，请按文档填写", "not understood; see the documentation")
	}
	return casework.FieldFault{Field: field, Text: text}
}
